import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { WebSocketServer } from 'ws';

/** What `npm start` exposes: a page, an event stream, an echo and a WebSocket, to look at with a browser or curl. */
export function createDemoService(): Server {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1 << 20 });
  sockets.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  );
  const server = createServer(answer);
  server.on('upgrade', (request, socket, head) => {
    if (request.url === '/ws')
      sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened));
    else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
  });
  return server;
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = new URL(request.url ?? '/', 'http://demo').pathname;
  if (path === '/echo') {
    response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'application/octet-stream' });
    request.pipe(response);
    return;
  }
  if (path === '/time') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const tell = () => response.write(`data: ${new Date().toISOString()}\n\n`);
    const timer = setInterval(tell, 1_000);
    response.once('close', () => clearInterval(timer));
    tell();
    return;
  }
  if (path !== '/') {
    response
      .writeHead(404, { 'content-type': 'text/plain; charset=utf-8' })
      .end('Not here. Try /, /time, /echo, or a WebSocket at /ws.\n');
    return;
  }
  if (request.headers.accept?.includes('text/html')) {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
    return;
  }
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`Hello from a service on your own machine, served as https://${request.headers.host}\n`);
}

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Portal demo</title>
<style>
  body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 38rem; margin: 15vh auto; padding: 0 1.5rem; color: #1d2433; }
  code { background: #eef1f6; padding: .1em .35em; border-radius: .25em; }
</style>
<h1>It works.</h1>
<p>This page comes from a service on your own machine, by way of a relay that passed it on without being able to read it:
TLS ended in the tunnel client, next to the service.</p>
<p>Time there, streamed as it passes: <code id="time">&hellip;</code></p>
<script>
  new EventSource('/time').onmessage = (event) => { document.getElementById('time').textContent = event.data; };
</script>
</html>
`;
