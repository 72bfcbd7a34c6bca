import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.*;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.*;
import java.util.concurrent.CountDownLatch;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.web3j.crypto.*;
import org.web3j.utils.Numeric;
import portal.ApiClient;
import portal.ApiException;
import portal.api.SdkApi;
import portal.api.SystemApi;
import portal.model.*;

/**
 * The smallest tunnel: it leases a name, keeps sessions open and ends visitors' TLS, written from docs/protocol.md alone. It is a driver of the conformance
 * kit as well: portal conformance --level 1 --command "java -cp ... Tunnel".
 */
public class Tunnel {
  static final int WAITING_SESSIONS = 3;

  final URI relay;
  final SSLContext ssl;
  final SdkApi sdk;
  final SystemApi system;
  final String[] target;
  final CountDownLatch serving = new CountDownLatch(1);
  volatile String token;
  volatile String hostname;
  volatile List<byte[]> chain;
  volatile String keyId;

  Tunnel(JsonNode task) throws Exception {
    relay = URI.create(task.get("relay").asText());
    ssl = Lease.trusting(task.get("ca_file").asText());
    target = task.get("target").asText().split(":");
    var http = HttpClient.newBuilder().sslContext(ssl).version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(10));
    var client = new ApiClient(http, ApiClient.createDefaultObjectMapper(), relay.toString());
    client.setReadTimeout(Duration.ofSeconds(10));
    client.setRequestInterceptor(request -> {
      if (token != null) request.header("X-Portal-Access-Token", token);
    });
    sdk = new SdkApi(client);
    system = new SystemApi(client);
  }

  public static void main(String[] args) throws Exception {
    // The resolver does not know that names under localhost are this machine.
    Path hosts = Files.createTempFile("hosts", "");
    Files.writeString(hosts, "127.0.0.1 portal.localhost\n127.0.0.1 localhost\n");
    System.setProperty("jdk.net.hosts.file", hosts.toString());
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    JsonNode task = new ObjectMapper().readTree(input.readLine());
    Tunnel tunnel = new Tunnel(task);
    try {
      tunnel.open(task.get("name").asText(), Credentials.create(task.get("private_key").asText()));
    } catch (ApiException refused) {
      say(Map.of("event", "stopped", "reason", codeOf(refused)));
      System.exit(0);
    }
    while (input.readLine() != null) continue;
    tunnel.sdk.unregisterLease(null);
    Files.delete(hosts);
    System.exit(0);
  }

  void open(String name, Credentials account) throws Exception {
    refresh();
    String address = Keys.toChecksumAddress(account.getAddress());
    var challenge = sdk.createRegisterChallenge(
        new RegisterChallengeRequest().identity(new IdentityInput().name(name).address(address))).getData();
    String message = challenge.getSiweMessage();
    checkMessage(message, address, challenge.getChallengeId());
    var s = Sign.signPrefixedMessage(message.getBytes(StandardCharsets.UTF_8), account.getEcKeyPair());
    String signature = Numeric.toHexString(s.getR()) + Numeric.toHexStringNoPrefix(s.getS()) + Numeric.toHexStringNoPrefix(s.getV());
    var lease = sdk.registerLease(new RegisterRequest()
        .challengeId(challenge.getChallengeId()).siweMessage(message).siweSignature(signature)).getData();
    hostname = lease.getHostname();
    token = lease.getAccessToken();
    for (int i = 0; i < WAITING_SESSIONS; i++) start(this::session);
    OffsetDateTime expiry = lease.getExpiresAt();
    start(() -> renew(expiry));
    serving.await();
    say(Map.of("event", "serving"));
  }

  /** Writes the message anew from what only the relay can choose, and compares. */
  void checkMessage(String text, String address, String challengeId) {
    Map<String, String> fields = new HashMap<>();
    for (String line : text.split("\n")) {
      int at = line.indexOf(": ");
      if (at > 0) fields.put(line.substring(0, at), line.substring(at + 2));
    }
    String whole = relay.getAuthority() + " wants you to sign in with your Ethereum account:\n" + address + "\n\n\n"
        + "URI: " + relay + "/sdk/register\nVersion: 1\nChain ID: 1\nNonce: " + fields.get("Nonce") + "\nIssued At: "
        + fields.get("Issued At") + "\nExpiration Time: " + fields.get("Expiration Time") + "\nRequest ID: " + challengeId;
    if (!whole.equals(text) || OffsetDateTime.parse(fields.get("Expiration Time")).isBefore(OffsetDateTime.now()))
      throw new IllegalStateException("not signed: " + text);
  }

  void refresh() throws Exception {
    Domain domain = sdk.getDomain().getData();
    keyId = domain.getKeyless().getKeyId();
    List<byte[]> der = new ArrayList<>();
    var pem = new ByteArrayInputStream(domain.getKeyless().getCertificateChain().getBytes(StandardCharsets.US_ASCII));
    for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(pem)) der.add(certificate.getEncoded());
    chain = der;
  }

  /** At half of what is left, with the newest token from then on. */
  void renew(OffsetDateTime expiry) throws Exception {
    while (true) {
      Thread.sleep(Math.max(200, Duration.between(OffsetDateTime.now(), expiry).toMillis() / 2));
      try {
        var renewal = sdk.renewLease(null).getData();
        token = renewal.getAccessToken();
        expiry = renewal.getExpiresAt();
        refresh();
      } catch (ApiException error) {
        System.err.println("renewal: " + codeOf(error));
      }
    }
  }

  /** One session: it waits, serves one visitor, and is gone. */
  void session() throws Exception {
    try (SSLSocket socket = (SSLSocket) ssl.getSocketFactory().createSocket(relay.getHost(), relay.getPort() < 0 ? 443 : relay.getPort())) {
      var parameters = socket.getSSLParameters();
      parameters.setApplicationProtocols(new String[] {"http/1.1"});
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      socket.setSSLParameters(parameters);
      socket.setSoTimeout(45_000);
      var out = socket.getOutputStream();
      out.write(("GET /sdk/connect HTTP/1.1\r\nHost: " + relay.getAuthority() + "\r\nConnection: Upgrade\r\nUpgrade: portal-reverse\r\n"
          + "X-Portal-Access-Token: " + token + "\r\nX-Portal-Binding: 1\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
      var in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
      if (!head(in).startsWith("HTTP/1.1 101")) {
        Thread.sleep(1_000);
        start(this::session);
        return;
      }
      serving.countDown();
      int marker;
      try {
        do marker = in.readUnsignedByte();
        while (marker == 0);
      } finally {
        start(this::session);
      }
      if (marker != 2) return;
      byte[] binding = in.readNBytes(16);
      socket.setSoTimeout(0);
      var tls = new Tls13(in, out, hostname, chain, (scheme, transcript) -> sign(binding, scheme, transcript));
      if (tls.accept()) join(tls, socket);
    }
  }

  byte[] sign(byte[] binding, String scheme, byte[] transcript) throws Exception {
    var base64 = Base64.getEncoder();
    var request = new TranscriptSignRequest().keyId(keyId).binding(base64.encodeToString(binding))
        .signatureScheme(SignatureScheme.fromValue(scheme)).transcript(base64.encodeToString(transcript));
    try {
      return Base64.getDecoder().decode(system.signHandshake(request).getData().getSignature());
    } catch (ApiException refused) {
      refresh();
      throw refused;
    }
  }

  /** Passes both directions on, each with its own end. */
  void join(Tls13 tls, SSLSocket session) throws Exception {
    try (Socket service = new Socket(target[0], Integer.parseInt(target[1]))) {
      Thread up = start(() -> {
        try {
          for (byte[] bytes; (bytes = tls.read()) != null; ) service.getOutputStream().write(bytes);
          service.shutdownOutput();
        } catch (IOException broken) {
          service.setSoLinger(true, 0);
          service.close();
        }
      });
      byte[] buffer = new byte[Tls13.MAX_FRAGMENT];
      try {
        for (int n; (n = service.getInputStream().read(buffer)) > 0; ) tls.write(Arrays.copyOf(buffer, n));
        // That is the end for the visitor. The session's own would be shutdownOutput(), after which this JDK hears nothing more.
        tls.end();
      } catch (IOException broken) {
        session.close();
      }
      up.join();
    }
  }

  interface Work {
    void run() throws Exception;
  }

  static Thread start(Work work) {
    Thread thread = new Thread(() -> {
      try {
        work.run();
      } catch (Exception error) {
        System.err.println(error);
      }
    });
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  static String head(DataInputStream in) throws IOException {
    StringBuilder text = new StringBuilder();
    while (text.indexOf("\r\n\r\n") < 0 && text.length() < 16_384) text.append((char) in.readUnsignedByte());
    return text.toString();
  }

  static String codeOf(ApiException refused) {
    try {
      return new ObjectMapper().readTree(refused.getResponseBody()).at("/error/code").asText("unknown");
    } catch (Exception none) {
      return String.valueOf(refused.getMessage());
    }
  }

  static synchronized void say(Map<String, String> event) throws IOException {
    System.out.println(new ObjectMapper().writeValueAsString(event));
    System.out.flush();
  }
}
