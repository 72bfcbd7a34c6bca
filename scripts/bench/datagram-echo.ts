/** A plain UDP echo on loopback, a process of its own. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
socket.on('message', (payload, peer) => socket.send(payload, peer.port, peer.address));
socket.bind(0, '127.0.0.1');
await once(socket, 'listening');
process.stdout.write(`${JSON.stringify({ port: socket.address().port })}\n`);
