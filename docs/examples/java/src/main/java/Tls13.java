import java.io.*;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.*;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.XECPublicKey;
import java.security.spec.*;
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** A server of TLS 1.3 (RFC 8446) whose CertificateVerify is signed elsewhere: TLS_AES_128_GCM_SHA256, x25519 and secp256r1, no tickets. */
final class Tls13 {
  static final int MAX_FRAGMENT = 16_384;
  private static final int ALERT = 21, HANDSHAKE = 22, DATA = 23, X25519 = 0x001d, P256 = 0x0017, ECDSA_P256 = 0x0403, RSA_PSS = 0x0804;
  /** Of a ServerHello that is a HelloRetryRequest. */
  private static final byte[] RETRY = HexFormat.of().parseHex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");
  private static final byte[] EMPTY_HASH = sha256(new byte[0]);

  interface Signer {
    byte[] sign(String scheme, byte[] transcript) throws Exception;
  }

  private final DataInputStream in;
  private final OutputStream out;
  private final String hostname;
  private final List<byte[]> chain;
  private final Signer signer;
  /** All handshake messages, and what of them is hashed: after a retry another first message. */
  private final ByteArrayOutputStream messages = new ByteArrayOutputStream();
  private final ByteArrayOutputStream hashed = new ByteArrayOutputStream();
  private final ByteArrayOutputStream unread = new ByteArrayOutputStream();
  private Keys reading, writing;
  private boolean isOver;

  Tls13(DataInputStream in, OutputStream out, String hostname, List<byte[]> chain, Signer signer) {
    this.in = in;
    this.out = out;
    this.hostname = hostname;
    this.chain = chain;
    this.signer = signer;
  }

  /** @return whether the handshake is done; if not, the visitor has got an alert */
  boolean accept() throws Exception {
    try {
      handshake();
      return true;
    } catch (Refusal refusal) {
      record(ALERT, new byte[] {2, (byte) refusal.alert});
      return false;
    } catch (IOException gone) {
      throw gone;
    } catch (Exception error) {
      record(ALERT, new byte[] {2, 80});
      throw error;
    }
  }

  private void handshake() throws Exception {
    byte[] message = next(1);
    Hello hello = new Hello(message);
    messages.writeBytes(message);
    hashed.writeBytes(message);
    if (!hello.versions.contains(0x0304)) throw new Refusal(70);
    if (!hostname.equals(hello.serverName)) throw new Refusal(112);
    int group = group(hello);
    if (!hello.suites.contains(0x1301) || group == 0) throw new Refusal(40);
    if (!hello.shares.containsKey(group)) {
      byte[] retry = serverHello(RETRY, hello.sessionId, bytes(group, 2));
      messages.writeBytes(retry);
      byte[] first = sha256(message);
      hashed.reset();
      hashed.writeBytes(concat(new byte[] {(byte) 254, 0, 0, (byte) first.length}, first, retry));
      record(HANDSHAKE, retry);
      message = next(1);
      hello = new Hello(message);
      messages.writeBytes(message);
      hashed.writeBytes(message);
      if (!hello.shares.containsKey(group)) throw new Refusal(47);
    }

    KeyPair pair = generate(group);
    byte[] random = new byte[32];
    new SecureRandom().nextBytes(random);
    byte[] share = concat(bytes(group, 2), vector(2, encoded(pair.getPublic())));
    byte[] answer = serverHello(random, hello.sessionId, share);
    add(answer);
    record(HANDSHAKE, answer);
    record(20, new byte[] {1});

    byte[] early = extract(new byte[32], new byte[32]);
    byte[] shared = agree(pair, hello.shares.get(group));
    byte[] secret = extract(derive(early, "derived", EMPTY_HASH), shared);
    byte[] hash = sha256(hashed.toByteArray());
    byte[] client = derive(secret, "c hs traffic", hash), server = derive(secret, "s hs traffic", hash);
    reading = new Keys(client);
    writing = new Keys(server);

    byte[] alpn = hello.protocols.contains("http/1.1") ? extension(16, vector(2, vector(1, "http/1.1".getBytes()))) : new byte[0];
    byte[] extensions = message(8, vector(2, alpn));
    ByteArrayOutputStream list = new ByteArrayOutputStream();
    for (byte[] der : chain) list.writeBytes(concat(vector(3, der), new byte[] {0, 0}));
    byte[] certificate = message(11, concat(new byte[] {0}, vector(3, list.toByteArray())));
    add(extensions);
    add(certificate);
    boolean isRsa = java.security.cert.CertificateFactory.getInstance("X.509")
        .generateCertificate(new ByteArrayInputStream(chain.get(0))).getPublicKey().getAlgorithm().equals("RSA");
    int scheme = isRsa ? RSA_PSS : ECDSA_P256;
    if (!hello.schemes.contains(scheme)) throw new Refusal(40);
    byte[] signature = signer.sign(isRsa ? "rsa_pss_rsae_sha256" : "ecdsa_secp256r1_sha256", messages.toByteArray());
    byte[] verify = message(15, concat(bytes(scheme, 2), vector(2, signature)));
    add(verify);
    byte[] finished = message(20, finished(server));
    add(finished);
    sealed(HANDSHAKE, concat(extensions, certificate, verify, finished));

    byte[] master = extract(derive(secret, "derived", EMPTY_HASH), new byte[32]);
    hash = sha256(hashed.toByteArray());
    byte[] expected = message(20, finished(client));
    if (!MessageDigest.isEqual(next(20), expected)) throw new Refusal(51);
    reading = new Keys(derive(master, "c ap traffic", hash));
    writing = new Keys(derive(master, "s ap traffic", hash));
  }

  /** @return the next bytes of the visitor, null at its end */
  byte[] read() throws IOException {
    while (!isOver) {
      byte[] content = record();
      switch (lastType) {
        case DATA -> {
          if (content.length > 0) return content;
        }
        case ALERT -> {
          if (content.length == 2 && content[1] == 0) isOver = true;
          else throw new IOException("the visitor sent an alert");
        }
        case HANDSHAKE -> {
          if (content.length != 5 || content[0] != 24) throw new IOException("an unexpected handshake message");
          reading = reading.next();
          if (content[4] == 1) update();
        }
        default -> throw new IOException("an unexpected record");
      }
    }
    return null;
  }

  synchronized void write(byte[] bytes) throws IOException {
    sealed(DATA, bytes);
  }

  /** The end of this direction. */
  synchronized void end() throws IOException {
    sealed(ALERT, new byte[] {1, 0});
  }

  private synchronized void update() throws IOException {
    sealed(HANDSHAKE, message(24, new byte[] {0}));
    writing = writing.next();
  }

  private void add(byte[] message) {
    messages.writeBytes(message);
    hashed.writeBytes(message);
  }

  private byte[] finished(byte[] secret) {
    return hmac(expand(secret, "finished", new byte[0], 32), sha256(hashed.toByteArray()));
  }

  /** The next handshake message, which may come in several records. */
  private byte[] next(int type) throws Exception {
    while (true) {
      byte[] bytes = unread.toByteArray();
      int length = bytes.length < 4 ? Integer.MAX_VALUE : 4 + number(bytes, 1, 3);
      if (length <= bytes.length) {
        if (bytes[0] != type) throw new Refusal(10);
        unread.reset();
        unread.write(bytes, length, bytes.length - length);
        return Arrays.copyOf(bytes, length);
      }
      if (bytes.length > 65_536) throw new Refusal(50);
      byte[] content = record();
      if (lastType == 20) continue;
      if (lastType == ALERT) throw new IOException("the visitor refused the handshake");
      if (lastType != HANDSHAKE) throw new Refusal(10);
      unread.writeBytes(content);
    }
  }

  private int lastType;

  private byte[] record() throws IOException {
    byte[] header = new byte[5];
    in.readFully(header);
    int length = number(header, 3, 2);
    if (length > MAX_FRAGMENT + 256) throw new IOException("a record that is too long");
    byte[] body = new byte[length];
    in.readFully(body);
    lastType = header[0];
    if (reading == null || lastType != DATA) return body;
    byte[] plain = reading.crypt(Cipher.DECRYPT_MODE, header, body);
    int end = plain.length - 1;
    while (end >= 0 && plain[end] == 0) end--;
    if (end < 0) throw new IOException("a record without a type");
    lastType = plain[end];
    return Arrays.copyOf(plain, end);
  }

  private void record(int type, byte[] content) throws IOException {
    if (writing != null && type != 20) sealed(type, content);
    else {
      out.write(concat(new byte[] {(byte) type, 3, 3}, bytes(content.length, 2), content));
      out.flush();
    }
  }

  private void sealed(int type, byte[] content) throws IOException {
    ByteArrayOutputStream records = new ByteArrayOutputStream();
    for (int at = 0; at < content.length; at += MAX_FRAGMENT) {
      byte[] part = Arrays.copyOfRange(content, at, Math.min(at + MAX_FRAGMENT, content.length));
      byte[] inner = concat(part, new byte[] {(byte) type});
      byte[] header = concat(new byte[] {DATA, 3, 3}, bytes(inner.length + 16, 2));
      records.writeBytes(header);
      records.writeBytes(writing.crypt(Cipher.ENCRYPT_MODE, header, inner));
    }
    out.write(records.toByteArray());
    out.flush();
  }

  private static byte[] serverHello(byte[] random, byte[] sessionId, byte[] share) {
    byte[] extensions = concat(extension(43, new byte[] {3, 4}), extension(51, share));
    return message(2, concat(new byte[] {3, 3}, random, vector(1, sessionId), bytes(0x1301, 2), new byte[] {0}, vector(2, extensions)));
  }

  /** The keys of one direction. */
  private static final class Keys {
    private final byte[] secret, iv;
    private final SecretKeySpec key;
    private long count;

    Keys(byte[] secret) {
      this.secret = secret;
      key = new SecretKeySpec(expand(secret, "key", new byte[0], 16), "AES");
      iv = expand(secret, "iv", new byte[0], 12);
    }

    Keys next() {
      return new Keys(expand(secret, "traffic upd", new byte[0], 32));
    }

    byte[] crypt(int mode, byte[] header, byte[] bytes) throws IOException {
      byte[] nonce = iv.clone();
      for (int i = 0; i < 8; i++) nonce[11 - i] ^= (byte) (count >>> (8 * i));
      count++;
      try {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(mode, key, new GCMParameterSpec(128, nonce));
        cipher.updateAAD(header);
        return cipher.doFinal(bytes);
      } catch (GeneralSecurityException error) {
        throw new IOException("a record that does not authenticate", error);
      }
    }
  }

  /** What is needed of a ClientHello. */
  private static final class Hello {
    byte[] sessionId;
    String serverName;
    final Set<Integer> suites = new HashSet<>(), groups = new HashSet<>(), schemes = new HashSet<>(), versions = new HashSet<>();
    final Map<Integer, byte[]> shares = new HashMap<>();
    final Set<String> protocols = new HashSet<>();

    Hello(byte[] message) throws Refusal {
      try {
        var in = new Reader(message, 4 + 34);
        sessionId = in.vector(1);
        in.numbers(2, 2, suites);
        in.vector(1);
        if (!in.hasMore()) return;
        for (var all = new Reader(in.vector(2), 0); all.hasMore(); ) extension(all.number(2), new Reader(all.vector(2), 0));
      } catch (IndexOutOfBoundsException cut) {
        throw new Refusal(50);
      }
    }

    private void extension(int type, Reader in) {
      if (type == 0) {
        var names = new Reader(in.vector(2), 0);
        if (names.number(1) == 0) serverName = new String(names.vector(2), StandardCharsets.US_ASCII).toLowerCase(Locale.ROOT);
      } else if (type == 10) in.numbers(2, 2, groups);
      else if (type == 13) in.numbers(2, 2, schemes);
      else if (type == 43) in.numbers(1, 2, versions);
      else if (type == 16) for (var list = new Reader(in.vector(2), 0); list.hasMore(); ) protocols.add(new String(list.vector(1), StandardCharsets.US_ASCII));
      else if (type == 51) for (var list = new Reader(in.vector(2), 0); list.hasMore(); ) shares.put(list.number(2), list.vector(2));
    }
  }

  private static final class Reader {
    private final byte[] bytes;
    private int at;

    Reader(byte[] bytes, int at) {
      this.bytes = bytes;
      this.at = at;
    }

    boolean hasMore() {
      return at < bytes.length;
    }

    int number(int size) {
      int value = Tls13.number(bytes, at, size);
      at += size;
      return value;
    }

    byte[] vector(int size) {
      int length = number(size);
      if (length > bytes.length - at) throw new IndexOutOfBoundsException();
      at += length;
      return Arrays.copyOfRange(bytes, at - length, at);
    }

    void numbers(int size, int each, Set<Integer> into) {
      for (var list = new Reader(vector(size), 0); list.hasMore(); ) into.add(list.number(each));
    }
  }

  private static final class Refusal extends Exception {
    final int alert;

    Refusal(int alert) {
      super("the visitor got the alert " + alert);
      this.alert = alert;
    }
  }

  /** A group that a share is there for, else one that is known; 0 for none. */
  private static int group(Hello hello) {
    for (int group : new int[] {X25519, P256}) if (hello.shares.containsKey(group)) return group;
    for (int group : new int[] {X25519, P256}) if (hello.groups.contains(group)) return group;
    return 0;
  }

  private static KeyPair generate(int group) throws GeneralSecurityException {
    if (group == X25519) return KeyPairGenerator.getInstance("X25519").generateKeyPair();
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  private static byte[] encoded(PublicKey key) {
    if (key instanceof XECPublicKey x) return littleEndian(x.getU());
    ECPoint point = ((ECPublicKey) key).getW();
    return concat(new byte[] {4}, bigEndian(point.getAffineX()), bigEndian(point.getAffineY()));
  }

  private static byte[] agree(KeyPair mine, byte[] theirs) throws Exception {
    if (mine.getPublic() instanceof ECPublicKey own) {
      if (theirs.length != 65 || theirs[0] != 4) throw new Refusal(47);
      ECPoint point = new ECPoint(new BigInteger(1, Arrays.copyOfRange(theirs, 1, 33)), new BigInteger(1, Arrays.copyOfRange(theirs, 33, 65)));
      return agreed("ECDH", mine.getPrivate(), KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(point, own.getParams())));
    }
    if (theirs.length != 32) throw new Refusal(47);
    byte[] reversed = theirs.clone();
    for (int i = 0; i < 16; i++) {
      byte swapped = reversed[i];
      reversed[i] = reversed[31 - i];
      reversed[31 - i] = swapped;
    }
    reversed[0] &= 0x7f;
    var spec = new XECPublicKeySpec(NamedParameterSpec.X25519, new BigInteger(1, reversed));
    return agreed("X25519", mine.getPrivate(), KeyFactory.getInstance("X25519").generatePublic(spec));
  }

  /** @throws Refusal for a point that is not on the curve */
  private static byte[] agreed(String algorithm, PrivateKey mine, PublicKey theirs) throws Exception {
    try {
      KeyAgreement agreement = KeyAgreement.getInstance(algorithm);
      agreement.init(mine);
      agreement.doPhase(theirs, true);
      return agreement.generateSecret();
    } catch (InvalidKeyException wrong) {
      throw new Refusal(47);
    }
  }

  private static byte[] bigEndian(BigInteger number) {
    byte[] little = littleEndian(number), big = new byte[32];
    for (int i = 0; i < 32; i++) big[i] = little[31 - i];
    return big;
  }

  private static byte[] littleEndian(BigInteger number) {
    byte[] big = number.toByteArray(), little = new byte[32];
    for (int i = 0; i < Math.min(32, big.length); i++) little[i] = big[big.length - 1 - i];
    return little;
  }

  private static byte[] derive(byte[] secret, String label, byte[] hash) {
    return expand(secret, label, hash, 32);
  }

  private static byte[] extract(byte[] salt, byte[] input) {
    return hmac(salt, input);
  }

  /** HKDF-Expand-Label, of one block at most. */
  private static byte[] expand(byte[] secret, String label, byte[] context, int length) {
    byte[] info = concat(bytes(length, 2), vector(1, ("tls13 " + label).getBytes()), vector(1, context), new byte[] {1});
    return Arrays.copyOf(hmac(secret, info), length);
  }

  private static byte[] hmac(byte[] key, byte[] data) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(data);
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException(error);
    }
  }

  private static byte[] sha256(byte[] data) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(data);
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException(error);
    }
  }

  private static byte[] extension(int type, byte[] content) {
    return concat(bytes(type, 2), vector(2, content));
  }

  private static byte[] message(int type, byte[] content) {
    return concat(new byte[] {(byte) type}, vector(3, content));
  }

  private static byte[] vector(int size, byte[] content) {
    return concat(bytes(content.length, size), content);
  }

  private static byte[] bytes(int value, int size) {
    byte[] result = new byte[size];
    for (int i = 0; i < size; i++) result[size - 1 - i] = (byte) (value >>> (8 * i));
    return result;
  }

  private static int number(byte[] bytes, int at, int size) {
    int value = 0;
    for (int i = 0; i < size; i++) value = value << 8 | bytes[at + i] & 0xff;
    return value;
  }

  private static byte[] concat(byte[]... parts) {
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    for (byte[] part : parts) whole.writeBytes(part);
    return whole.toByteArray();
  }
}
