package tls13

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const name = "app.portal.example.com"

type identity struct {
	key  crypto.Signer
	pem  []byte
	pool *x509.CertPool
}

func certify(t testing.TB, key crypto.Signer) identity {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return identity{key, text, pool}
}

func ecIdentity(t testing.TB) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certify(t, key)
}

func (i identity) config(t testing.TB) Config {
	t.Helper()
	chain, err := ParseChain(i.pem)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Chain: chain, ServerName: name, Protocols: []string{"http/1.1"}, Sign: func(r SignRequest) ([]byte, error) {
		digest := sha256.Sum256(r.Content)
		var options crypto.SignerOpts = crypto.SHA256
		if _, ok := i.key.(*rsa.PrivateKey); ok {
			options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		}
		return i.key.Sign(rand.Reader, digest[:], options)
	}}
}

// pair connects crypto/tls to the server.
func pair(t *testing.T, i identity, change func(c *tls.Config)) (*tls.Conn, *Conn, error) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	config := &tls.Config{RootCAs: i.pool, ServerName: name, NextProtos: []string{"h2", "http/1.1"}}
	if change != nil {
		change(config)
	}
	client, server := tls.Client(a, config), Server(b, i.config(t))
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	err := client.Handshake()
	return client, server, errors.Join(err, <-done)
}

func TestCryptoTLSTalksAndCloses(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for title, i := range map[string]identity{"ECDSA": ecIdentity(t), "RSA": certify(t, rsaKey)} {
		for _, group := range []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256} {
			t.Run(fmt.Sprint(title, group), func(t *testing.T) {
				client, server, err := pair(t, i, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{group} })
				if err != nil {
					t.Fatal(err)
				}
				if server.Protocol() != "http/1.1" || client.ConnectionState().NegotiatedProtocol != "http/1.1" {
					t.Error("no ALPN")
				}
				data := make([]byte, 300_000)
				_, _ = rand.Read(data)
				go func() { _, _ = client.Write(data); _ = client.CloseWrite() }()
				got, err := io.ReadAll(server)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				go func() { _, _ = server.Write(data); _ = server.CloseWrite() }()
				got, err = io.ReadAll(client)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes back, %v", len(got), err)
				}
				if _, err := server.Write(data); err == nil {
					t.Error("it writes after its end")
				}
			})
		}
	}
}

func TestKeysAreUpdatedWhenTheyAreWorn(t *testing.T) {
	client, server, err := pair(t, ecIdentity(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	server.perKey = 3
	go func() {
		for n := 0; n < 20; n++ {
			_, _ = fmt.Fprintf(server, "%d;", n)
		}
		_ = server.CloseWrite()
	}()
	if text, err := io.ReadAll(client); err != nil || !strings.HasSuffix(string(text), ";18;19;") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestNoSignatureEndsTheHandshake(t *testing.T) {
	i := ecIdentity(t)
	a, b := net.Pipe()
	config := i.config(t)
	config.Sign = func(SignRequest) ([]byte, error) { return nil, errors.New("refused") }
	client, server := tls.Client(a, &tls.Config{RootCAs: i.pool, ServerName: name}), Server(b, config)
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := client.Handshake(); err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("%v", err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}

func TestClientsThatDoNotFitGetTheRightAlert(t *testing.T) {
	i := ecIdentity(t)
	for alert, change := range map[string]func(c *tls.Config){
		"protocol version":        func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
		"handshake failure":       func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP521} },
		"no application protocol": func(c *tls.Config) { c.NextProtos = []string{"h2"} },
		"unrecognized name":       func(c *tls.Config) { c.ServerName = "other.example.com" },
	} {
		if _, _, err := pair(t, i, change); err == nil || !strings.Contains(err.Error(), alert) {
			t.Errorf("%s: %v", alert, err)
		}
	}
}

// openssl runs s_client against the server.
func openssl(t *testing.T, i identity, arguments ...string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		server := Server(conn, i.config(t))
		if server.Handshake() != nil {
			return
		}
		_, _ = server.Write([]byte("welcome\n"))
		buffer := make([]byte, 100)
		n, _ := server.Read(buffer)
		_, _ = server.Write(bytes.ToUpper(buffer[:n]))
		_ = server.CloseWrite()
	}()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, i.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("openssl", append([]string{"s_client", "-connect", listener.Addr().String(), "-servername", name, "-CAfile", ca, "-ign_eof"}, arguments...)...)
	command.Stdin = strings.NewReader("hello openssl\n")
	out, _ := command.CombinedOutput()
	return string(out)
}

func TestOpenSSLSpeaksEverySuiteAndIsAskedForAKeyShare(t *testing.T) {
	i := ecIdentity(t)
	for _, suite := range []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"} {
		out := openssl(t, i, "-ciphersuites", suite)
		if !strings.Contains(out, "Cipher is "+suite) || !strings.Contains(out, "HELLO OPENSSL") || !strings.Contains(out, "Verify return code: 0") {
			t.Errorf("%s: %s", suite, out)
		}
	}
	// It sends a share of the first group alone.
	out := openssl(t, i, "-groups", "secp521r1:P-256", "-msg")
	if !strings.Contains(out, "HELLO OPENSSL") || strings.Count(out, "ClientHello") != 2 {
		t.Errorf("a retry: %s", out)
	}
}

// memory is a transport of bytes that have come.
type memory struct {
	in  io.Reader
	out bytes.Buffer
}

func (m *memory) Read(p []byte) (int, error)  { return m.in.Read(p) }
func (m *memory) Write(p []byte) (int, error) { return m.out.Write(p) }

// hello is what crypto/tls sends first.
func hello(t testing.TB) []byte {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go func() { _ = tls.Client(a, &tls.Config{ServerName: name}).Handshake() }()
	head := make([]byte, 5)
	if _, err := io.ReadFull(b, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(b, body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

func TestWhatIsNotTLSEndsTheConnection(t *testing.T) {
	i := ecIdentity(t)
	for _, data := range []string{
		"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", "\x16\x03\x01\x00\x00", "\x17\x03\x03\x00\x02aa",
		"\x14\x03\x03\x00\x01\x02", "\x16\x03\x01\x00\x04\x01\x00\xff\xff", "\x16\x03\x01\x00\x04\x02\x00\x00\x01",
		"\x15\x03\x03\x00\x02\x01\x00", strings.Repeat("\x14\x03\x03\x00\x01\x01", 40), "",
	} {
		transport := &memory{in: strings.NewReader(data)}
		if err := Server(transport, i.config(t)).Handshake(); err == nil {
			t.Errorf("%q is taken", data)
		}
	}
}

func TestHellosThatWereChangedAreAnsweredOrRefusedAndNothingElse(t *testing.T) {
	i, original := ecIdentity(t), hello(t)
	seed := mathrand.Uint64()
	source := mathrand.New(mathrand.NewPCG(seed, 0))
	defer func() {
		if fault := recover(); fault != nil {
			t.Fatalf("seed %d: %v", seed, fault)
		}
	}()
	for n := 0; n < 3000; n++ {
		changed := bytes.Clone(original)
		for count := source.IntN(4) + 1; count > 0; count-- {
			changed[source.IntN(len(changed))] = byte(source.IntN(256))
		}
		transport := &memory{in: bytes.NewReader(changed[:1+source.IntN(len(changed))])}
		if Server(transport, i.config(t)).Handshake() == nil {
			t.Fatal("there is no Finished")
		}
	}
}

func TestRecordsThatWereChangedAreRefused(t *testing.T) {
	i := ecIdentity(t)
	a, b := net.Pipe()
	c, d := net.Pipe()
	defer func() { a.Close(); b.Close(); c.Close(); d.Close() }()
	client, server := tls.Client(a, &tls.Config{RootCAs: i.pool, ServerName: name}), Server(d, i.config(t))
	changes := make(chan struct{})
	go func() {
		buffer := make([]byte, 70_000)
		for {
			n, err := b.Read(buffer)
			if err != nil {
				return
			}
			select {
			case <-changes:
				buffer[n-1] ^= 1
			default:
			}
			_, _ = c.Write(buffer[:n])
		}
	}()
	go func() { _, _ = io.Copy(b, c) }()
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := errors.Join(client.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	close(changes)
	go func() { _, _ = client.Write([]byte("secret")) }()
	var fault *AlertError
	if _, err := server.Read(make([]byte, 10)); !errors.As(err, &fault) || fault.Alert != alertBadRecordMAC {
		t.Errorf("%v", err)
	}
}

func TestTheEndOfTheTransportWithoutCloseNotifyIsTold(t *testing.T) {
	i := ecIdentity(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			return
		}
		client := tls.Client(conn, &tls.Config{RootCAs: i.pool, ServerName: name})
		_, _ = client.Write([]byte("part"))
		conn.Close()
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server := Server(conn, i.config(t))
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(server); string(text) != "part" || err != io.ErrUnexpectedEOF {
		t.Errorf("%q, %v", text, err)
	}
}

func TestAChainThatCannotBeUsedIsRefused(t *testing.T) {
	i := ecIdentity(t)
	for _, text := range [][]byte{nil, []byte("nothing"), bytes.Repeat(i.pem, 11)} {
		if _, err := ParseChain(text); err == nil {
			t.Errorf("%d bytes are a chain", len(text))
		}
	}
}

func FuzzServer(f *testing.F) {
	i := ecIdentity(f)
	f.Add(hello(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = Server(&memory{in: bytes.NewReader(data)}, i.config(t)).Handshake()
	})
}
