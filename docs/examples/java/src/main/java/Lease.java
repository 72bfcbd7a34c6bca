import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import java.util.stream.Stream;
import org.web3j.crypto.Keys;
import org.web3j.crypto.Sign;
import org.web3j.utils.Numeric;
import portal.ApiClient;
import portal.ApiException;
import portal.api.SdkApi;
import portal.model.*;
import static java.util.stream.Collectors.joining;

/** Leases a name with the client that openapi-generator makes of the contract, renews the lease and gives it back. */
public class Lease {
  public static void main(String[] args) throws Exception {
    String relay = args[0];
    HttpClient.Builder http = HttpClient.newBuilder().sslContext(trusting(args[1]));
    ApiClient client = new ApiClient(http, ApiClient.createDefaultObjectMapper(), relay);
    SdkApi sdk = new SdkApi(client);
    var keys = Keys.createEcKeyPair();
    var identity = new IdentityInput().name(args[2]).address("0x" + Keys.getAddress(keys));
    Challenge challenge = sdk.createRegisterChallenge(new RegisterChallengeRequest().identity(identity)).getData();
    // What must be checked before it is signed is in docs/vectors/sign-in-messages.json; here the least of it.
    if (!challenge.getSiweMessage().startsWith(URI.create(relay).getAuthority() + " wants you to sign in"))
      throw new IllegalStateException("not signed: the message is for another relay");
    var s = Sign.signPrefixedMessage(challenge.getSiweMessage().getBytes(StandardCharsets.UTF_8), keys);
    String signature = "0x" + Stream.of(s.getR(), s.getS(), s.getV()).map(Numeric::toHexStringNoPrefix).collect(joining());
    var lease = sdk.registerLease(new RegisterRequest().challengeId(challenge.getChallengeId())
        .siweMessage(challenge.getSiweMessage()).siweSignature(signature)).getData();
    System.out.println("leased " + lease.getHostname() + " until " + lease.getExpiresAt());
    var renewal = sdk.renewLease(new RenewRequest().accessToken(lease.getAccessToken())).getData();
    System.out.println("renewed until " + renewal.getExpiresAt());
    sdk.unregisterLease(new UnregisterRequest().accessToken(renewal.getAccessToken()));
    System.out.println("given back");
    try {
      sdk.renewLease(new RenewRequest().accessToken(renewal.getAccessToken()));
    } catch (ApiException refused) {
      var failure = client.getObjectMapper().readValue(refused.getResponseBody(), LeaseNotFoundFailure.class);
      System.out.println("renewed once more: " + failure.getError().getCode());
    }
  }

  static SSLContext trusting(String file) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null);
    store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(file)));
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }
}
