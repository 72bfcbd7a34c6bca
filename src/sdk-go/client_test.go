package portal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ask is what GetHealth makes of an answer.
func ask(t *testing.T, handler http.HandlerFunc) (*Health, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	client, err := NewClient(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	return client.GetHealth(context.Background())
}

func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for at := 0; at+1 < len(headers); at += 2 {
			w.Header().Set(headers[at], headers[at+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestANameIsLeasedRenewedAndGivenBack(t *testing.T) {
	client, ctx := sharedRelay().client(t), context.Background()
	account, err := NewAccount()
	if err != nil {
		t.Fatal(err)
	}
	lease, err := client.Register(ctx, account, LeaseRequest{Name: "go-lease", TTL: time.Minute})
	if err != nil || lease.Hostname != "go-lease.portal.localhost" || lease.Identity.Address != account.Address {
		t.Fatalf("lease %v, %v", lease, err)
	}
	renewal, err := client.RenewLease(ctx, lease.AccessToken, RenewRequest{})
	if err != nil {
		t.Fatal(err)
	}
	status, err := client.GetTunnelStatus(ctx, renewal.AccessToken, lease.Hostname)
	if err != nil || status.ServiceAlive {
		t.Errorf("status %v, %v", status, err)
	}
	other, _ := NewAccount()
	if _, err := client.Register(ctx, other, LeaseRequest{Name: "go-lease"}); !HasCode(err, CodeHostnameConflict) {
		t.Errorf("another account gets the name: %v", err)
	}
	if _, err := client.UnregisterLease(ctx, renewal.AccessToken, UnregisterRequest{}); err != nil {
		t.Error(err)
	}
	_, err = client.RenewLease(ctx, renewal.AccessToken, RenewRequest{})
	var refusal *APIError
	if !errors.As(err, &refusal) || refusal.Code != CodeLeaseNotFound || refusal.Retry() != RetryReauthenticate {
		t.Errorf("a lease that is gone is renewed: %v", err)
	}
	if off := time.Until(client.Now()).Abs(); off > 5*time.Second {
		t.Errorf("the relay's clock is %v off", off)
	}
}

func TestEveryErrorCodeIsTold(t *testing.T) {
	if len(Catalogue) < 20 {
		t.Fatalf("%d codes", len(Catalogue))
	}
	for code, entry := range Catalogue {
		_, err := ask(t, answer(entry.Status, fmt.Sprintf(`{"ok":false,"error":{"code":%q,"message":"why"}}`, code)))
		var refusal *APIError
		if !errors.As(err, &refusal) || refusal.Code != code || refusal.Retry() != entry.Retry || refusal.Message != "why" ||
			refusal.RetryAfter != time.Duration(entry.RetryAfterSeconds)*time.Second {
			t.Errorf("%s: %#v", code, err)
		}
	}
	_, err := ask(t, answer(429, `{"ok":false,"error":{"code":"of_tomorrow","message":"\u001b[31mred"}}`, "Retry-After", "7"))
	var refusal *APIError
	if !errors.As(err, &refusal) || refusal.Retry() != RetryAfterDelay || refusal.RetryAfter != 7*time.Second ||
		strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%#v", err)
	}
}

func TestWhatTheContractDoesNotHaveIsAnAnswerError(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"no JSON":            answer(200, "hello"),
		"no envelope":        answer(200, "{}"),
		"a list":             answer(200, "[]"),
		"no data":            answer(200, `{"ok":true}`),
		"data of null":       answer(200, `{"ok":true,"data":null}`),
		"another type":       answer(200, `{"ok":true,"data":{"status":7}}`),
		"success with 500":   answer(500, `{"ok":true,"data":{"status":"ok"}}`),
		"failure of nothing": answer(500, `{"ok":false}`),
		"failure of a type":  answer(500, `{"ok":false,"error":{"code":7}}`),
		"depth":              answer(200, strings.Repeat("[", 100_000)),
		"size":               answer(200, `{"ok":true,"data":{"status":"`+strings.Repeat("a", 300_000)+`"}}`),
		"a redirect":         answer(302, "{}", "Location", "https://other.example.com/"),
	} {
		_, err := ask(t, handler)
		var wrong *AnswerError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if health, err := ask(t, answer(200, `{"ok":true,"data":{"status":"ok","more":[1]},"more":1}`)); err != nil || health.Status != "ok" {
		t.Errorf("fields that are not known: %v", err)
	}
}

func TestNetworkErrorsTellTheirReason(t *testing.T) {
	reason := func(relay string) NetworkFailure {
		client, err := NewClient(relay)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, err = client.GetDomain(context.Background())
		var network *NetworkError
		if !errors.As(err, &network) {
			t.Fatalf("%v", err)
		}
		return network.Reason
	}
	if got := reason(sharedRelay().url); got != Certificate {
		t.Errorf("a CA that is not known: %s", got)
	}
	if got := reason("https://127.0.0.1:1"); got != Unreachable {
		t.Errorf("nobody there: %s", got)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	client, _ := NewClient("http://" + silent.Addr().String())
	if _, err := client.GetDomain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is done: %v", err)
	}
}

func TestAChallengeOfAnotherRelayIsNotSigned(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		message := "other.example.com wants you to sign in with your Ethereum account:\\n0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
		fmt.Fprintf(w, `{"ok":true,"data":{"challenge_id":"chl_01","expires_at":"2026-03-01T12:02:00Z","siwe_message":"%s"}}`, message)
	}))
	defer server.Close()
	client, _ := NewClient(server.URL)
	account, _ := NewAccount()
	_, err := client.Register(context.Background(), account, LeaseRequest{Name: "victim"})
	var refused *SigningRefusedError
	if !errors.As(err, &refused) || len(asked) != 1 {
		t.Errorf("%v, asked %v", err, asked)
	}
}

func TestRelayURLs(t *testing.T) {
	for text, wanted := range map[string]string{
		"relay.example.com":              "https://relay.example.com",
		"https://Relay.Example.com:443/": "https://relay.example.com",
		"https://portal.localhost:8443":  "https://portal.localhost:8443",
		"https://[::1]:8443":             "https://[::1]:8443",
	} {
		if got, err := parseRelayURL(text); err != nil || got.String() != wanted {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "https://", "http://relay.example.com", "https://relay.example.com/path", "https://user:pass@relay.example.com",
		"https://relay.example.com?x", "ftp://relay.example.com", "https://relay.example.com:99999", "https://relay.example.com\r\nX: y",
	} {
		if got, err := parseRelayURL(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestAnAccountIsKeptInAFileThatNobodyElseCanRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "identity.json")
	account, err := LoadAccount(file)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := LoadAccount(file); err != nil || again.Address != account.Address {
		t.Errorf("%v", err)
	}
	if status, err := os.Stat(file); err != nil || status.Mode().Perm() != 0o600 {
		t.Errorf("%v", status.Mode())
	}
	if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 1 {
		t.Errorf("%v", entries)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadAccount(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"", "[]", "{}", `{"address":"0x1","private_key":"0x2"}`, strings.Repeat("x", 5000)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(file, 0o600)
		var wrong *UsageError
		if _, err := LoadAccount(file); !errors.As(err, &wrong) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
