package portal

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

func listen(t *testing.T, config Config) *Listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	l, err := Listen(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serveConn gives each visitor to a handler.
func serveConn(t *testing.T, l *Listener, handler func(conn *Conn)) {
	t.Helper()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go handler(conn.(*Conn))
		}
	}()
}

func serveHello(t *testing.T, l *Listener) {
	t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s to %s", r.URL.Path, r.RemoteAddr)
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

func (r *relay) get(t *testing.T, name, path string) (string, error) {
	t.Helper()
	conn, err := r.visit(t, name)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, name)
	text, err := io.ReadAll(conn)
	return string(text), err
}

func until(t *testing.T, look func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !look(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come to hold")
		}
	}
}

func TestCurlReachesAnHTTPServer(t *testing.T) {
	r := sharedRelay()
	l := listen(t, r.config("go-curl"))
	serveHello(t, l)
	resolve := fmt.Sprintf("go-curl.portal.localhost:%d:127.0.0.1", r.port)
	out, err := exec.Command("curl", "-sS", "--cacert", r.ca, "--resolve", resolve, l.URL()+"/curl").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "hello from /curl to 127.0.0.1:") {
		t.Errorf("%s, %v", out, err)
	}
}

func TestManyVisitorsAtOnceAreServedAndSessionsAreRecycled(t *testing.T) {
	r := sharedRelay()
	l := listen(t, r.config("go-many"))
	serveHello(t, l)
	for round := 0; round < 3; round++ {
		var all sync.WaitGroup
		for n := 0; n < 40; n++ {
			all.Add(1)
			go func() {
				defer all.Done()
				text, err := r.get(t, "go-many", fmt.Sprintf("/%d", n))
				if err != nil || !strings.Contains(text, fmt.Sprintf("hello from /%d to", n)) {
					t.Errorf("%d: %q, %v", n, text, err)
				}
			}()
		}
		all.Wait()
	}
	until(t, func() bool {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		return l.sessions == l.waiting && l.sessions < 60
	})
}

func TestMuchArrivesIntactBothWays(t *testing.T) {
	r := sharedRelay()
	l := listen(t, r.config("go-much"))
	serveConn(t, l, func(conn *Conn) {
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
		_ = conn.CloseWrite()
	})
	conn, err := r.visit(t, "go-much")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent, got := sha256.New(), sha256.New()
	go func() {
		_, _ = io.CopyN(io.MultiWriter(conn, sent), rand.Reader, 50_000_000)
		_ = conn.CloseWrite()
	}()
	if n, err := io.Copy(got, conn); n != 50_000_000 || err != nil || !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestBothSidesHalfClose(t *testing.T) {
	r := sharedRelay()
	l := listen(t, r.config("go-half"))
	heard := make(chan string, 1)
	serveConn(t, l, func(conn *Conn) {
		_, _ = conn.Write([]byte("bye"))
		_ = conn.CloseWrite()
		text, _ := io.ReadAll(conn)
		heard <- string(text)
		_ = conn.Close()
	})
	conn, err := r.visit(t, "go-half")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if text, err := io.ReadAll(conn); string(text) != "bye" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	_, _ = conn.Write([]byte("late words"))
	_ = conn.CloseWrite()
	if text := <-heard; text != "late words" {
		t.Errorf("%q", text)
	}
}

func TestAVisitorThatBreaksOffIsNotTakenForOneThatEnds(t *testing.T) {
	r := sharedRelay()
	l := listen(t, r.config("go-cut"))
	ended := make(chan error, 1)
	serveConn(t, l, func(conn *Conn) {
		defer conn.Close()
		_, err := io.ReadAll(conn)
		ended <- err
	})
	conn, err := r.visit(t, "go-cut")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write([]byte("part"))
	reset(conn)
	if err := <-ended; err == nil {
		t.Error("a cut is taken for an end")
	}
}

func TestAnExposedServiceIsToldWhatVisitorsDo(t *testing.T) {
	r := sharedRelay()
	service, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan error, 4)
	go func() {
		for {
			conn, err := service.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Write([]byte("welcome"))
				_, err := io.ReadAll(conn)
				heard <- err
			}()
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tunnel, err := Expose(ctx, service.Addr().String(), r.config("go-service"))
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	for _, breaksOff := range []bool{false, true} {
		conn, err := r.visit(t, "go-service")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 7)); err != nil {
			t.Fatal(err)
		}
		if breaksOff {
			reset(conn)
		} else {
			conn.Close()
		}
		if err := <-heard; (err != nil) != breaksOff {
			t.Errorf("breaks off: %v, %v", breaksOff, err)
		}
	}
	service.Close()
	conn, err := r.visit(t, "go-service")
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(conn); len(text) > 0 {
		t.Errorf("a service that is down says %q", text)
	}
}

func TestDeadlinesAndCloseUnblockReads(t *testing.T) {
	r := sharedRelay()
	l := listen(t, r.config("go-deadline"))
	results := make(chan error, 3)
	serveConn(t, l, func(conn *Conn) {
		_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, err := conn.Read(make([]byte, 1))
		results <- err
		_ = conn.SetReadDeadline(time.Time{})
		buffer := make([]byte, 5)
		_, err = io.ReadFull(conn, buffer)
		if string(buffer) != "hello" {
			err = fmt.Errorf("read %q: %w", buffer, err)
		}
		results <- err
		time.AfterFunc(50*time.Millisecond, func() { conn.Close() })
		_, err = conn.Read(buffer)
		results <- err
	})
	conn, err := r.visit(t, "go-deadline")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var timeout net.Error
	if err := <-results; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a deadline: %v", err)
	}
	_, _ = conn.Write([]byte("hello"))
	if err := <-results; err != nil {
		t.Errorf("after a deadline: %v", err)
	}
	if err := <-results; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := r.visit(t, "go-deadline"); err != nil {
		t.Errorf("the next visitor: %v", err)
	}
}

func TestVisitorsThatDoNotFitGetAnAlertAndNothingElseHappens(t *testing.T) {
	r := sharedRelay()
	l := listen(t, r.config("go-alert"))
	serveHello(t, l)
	for n := 0; n < 12; n++ {
		config := r.visitorConfig(t, "go-alert")
		config.MaxVersion = tls.VersionTLS12
		_, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), config)
		if err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Fatalf("%v", err)
		}
	}
	if text, err := r.get(t, "go-alert", "/x"); err != nil || !strings.Contains(text, "hello") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestANameIsGivenBackAndOneThatAnotherHasIsTold(t *testing.T) {
	r := sharedRelay()
	first := listen(t, r.config("go-name"))
	_, err := Listen(context.Background(), r.config("go-name"))
	if !HasCode(err, CodeHostnameConflict) {
		t.Errorf("%v", err)
	}
	first.Close()
	if err := first.Wait(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	listen(t, r.config("go-name"))
}

func TestAListenerThatIsReplacedByItsOwnAccountEnds(t *testing.T) {
	config := sharedRelay().config("go-twice")
	config.Account, _ = NewAccount()
	first := listen(t, config)
	listen(t, config)
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	select {
	case err := <-ended:
		if !HasCode(err, CodeHostnameConflict) {
			t.Errorf("%v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it goes on")
	}
}

func TestAListenerIsBackAfterItsRelayWasKilled(t *testing.T) {
	r := startRelay(t)
	serveHello(t, listen(t, r.config("go-killed")))
	if _, err := r.get(t, "go-killed", "/"); err != nil {
		t.Fatal(err)
	}
	r.kill()
	r.start(t)
	until(t, func() bool {
		text, err := r.get(t, "go-killed", "/")
		return err == nil && strings.Contains(text, "hello")
	})
}

func TestALeaseOutlivesItsFirstEnd(t *testing.T) {
	r := sharedRelay()
	config := r.config("go-long")
	config.TTL = 2 * time.Second
	l := listen(t, config)
	serveHello(t, l)
	token := func() string {
		_, token, _ := l.keeper.current(context.Background())
		return token
	}
	first := token()
	until(t, func() bool { return token() != first })
	if text, err := r.get(t, "go-long", "/"); err != nil || !strings.Contains(text, "hello") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestNoTokenIsLogged(t *testing.T) {
	r := sharedRelay()
	var log bytes.Buffer
	config := r.config("go-log")
	config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l := listen(t, config)
	serveHello(t, l)
	_, token, _ := l.keeper.current(context.Background())
	_, _ = r.get(t, "go-log", "/")
	l.Close()
	if strings.Contains(log.String(), token) {
		t.Error("it is")
	}
}

func TestWrongUsageIsTold(t *testing.T) {
	for _, change := range []func(c *Config){
		func(c *Config) { c.Ready = 9 },
		func(c *Config) { c.MaxConnections = -1 },
		func(c *Config) { c.Relay = "http://relay.example.com" },
		func(c *Config) { c.CAFile = "/nowhere" },
	} {
		config := Config{Relay: "https://relay.example.com", LeaseRequest: LeaseRequest{Name: "x"}}
		change(&config)
		var wrong *UsageError
		if _, err := Listen(context.Background(), config); !errors.As(err, &wrong) {
			t.Errorf("%v", err)
		}
	}
}
