package portal

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const root = "../.."

// relay is one as a process of its own.
type relay struct {
	url   string
	ca    string
	port  int
	state string
	kill  func()
}

// freePort gives a port below those that the system gives out by itself: nobody takes it while a relay starts again.
func freePort(t testing.TB) int {
	t.Helper()
	for {
		port := 10_000 + rand.IntN(20_000)
		server, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			server.Close()
			return port
		}
	}
}

func startRelay(t testing.TB) *relay {
	t.Helper()
	r := &relay{port: freePort(t), state: t.TempDir()}
	r.url = fmt.Sprintf("https://portal.localhost:%d", r.port)
	r.ca = filepath.Join(r.state, "development-ca.pem")
	r.start(t)
	t.Cleanup(func() { r.kill() })
	return r
}

func (r *relay) start(t testing.TB) {
	t.Helper()
	main := filepath.Join(root, "dist/src/cli/main.js")
	if _, err := os.Stat(main); err != nil {
		t.Fatalf("%s is missing: run npm ci && npm run build", main)
	}
	command := exec.Command("node", main, "relay", "--portal-url", r.url, "--state-dir", r.state,
		"--host", "127.0.0.1", "--sni-port", fmt.Sprint(r.port), "--api-port", "0")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	r.kill = sync.OnceFunc(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"relay started"`) {
			go func() {
				for lines.Scan() {
				}
			}()
			return
		}
	}
	t.Fatal("the relay does not start")
}

// sharedRelay is one for all tests that do not kill it.
var sharedRelay = sync.OnceValue(func() *relay {
	t := &processTest{}
	return startRelay(t)
})

// processTest ends what it has started at the end of all tests.
type processTest struct {
	testing.TB
	cleanups []func()
}

var cleanups []func()

func (*processTest) Helper()                           {}
func (*processTest) Cleanup(f func())                  { cleanups = append(cleanups, f) }
func (*processTest) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (*processTest) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (*processTest) TempDir() string {
	folder, err := os.MkdirTemp("", "portal-go-")
	if err != nil {
		panic(err)
	}
	cleanups = append(cleanups, func() { os.RemoveAll(folder) })
	return folder
}

func TestMain(m *testing.M) {
	code := m.Run()
	for at := len(cleanups) - 1; at >= 0; at-- {
		cleanups[at]()
	}
	os.Exit(code)
}

func (r *relay) config(name string) Config {
	return Config{Relay: r.url, CAFile: r.ca, LeaseRequest: LeaseRequest{Name: name}}
}

func (r *relay) client(t testing.TB) *Client {
	t.Helper()
	client, err := NewClient(r.url, WithCAFile(r.ca))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func (r *relay) visitorConfig(t testing.TB, name string) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(r.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots, ServerName: name + ".portal.localhost", NextProtos: []string{"http/1.1"}}
}

func (r *relay) visit(t testing.TB, name string) (*tls.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	dialer := &tls.Dialer{Config: r.visitorConfig(t, name)}
	conn, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	if err != nil {
		return nil, err
	}
	return conn.(*tls.Conn), nil
}

type vector map[string]any

func (v vector) text(name string) string {
	text, _ := v[name].(string)
	return text
}

func (v vector) bytes(t *testing.T, name string) []byte {
	t.Helper()
	data, err := hex.DecodeString(v.text(name))
	if err != nil {
		t.Fatal(err)
	}
	if padding, ok := v["padding"].(map[string]any); ok && name == "hex" {
		more, _ := hex.DecodeString(padding["byte"].(string))
		for count := int(padding["count"].(float64)); count > 0; count-- {
			data = append(data, more...)
		}
	}
	return data
}

// vectorFile reads a file of docs/vectors.
func vectorFile(t *testing.T, name string) map[string]json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/vectors", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// vectors runs a test for each vector of a kind.
func vectors(t *testing.T, name, kind string, check func(t *testing.T, v vector)) {
	t.Helper()
	var all []vector
	if err := json.Unmarshal(vectorFile(t, name)[kind], &all); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("%s has no %s vectors", name, kind)
	}
	for _, v := range all {
		t.Run(kind+": "+v.text("name"), func(t *testing.T) { check(t, v) })
	}
}
