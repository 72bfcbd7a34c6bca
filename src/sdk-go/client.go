// Package portal is the client of Portal relays. Listen gives a net.Listener on a public HTTPS name, Expose puts a
// service of this machine there, and Client has every operation of a relay's API.
package portal

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

const (
	callTimeout    = 10 * time.Second
	maxAnswerBytes = 256 << 10
	maxRetryAfter  = 10 * time.Minute
)

// Client calls a relay's API: each operation of the contract that answers with an envelope is a method. They return
// *APIError, *NetworkError and *AnswerError. Redirects are refused, since they would carry a token elsewhere; answers are
// bounded in size, and calls in time.
type Client struct {
	relay  *url.URL
	http   *http.Client
	tls    *tls.Config
	offset atomic.Int64
}

// ClientOption changes how a client reaches its relay.
type ClientOption func(*Client) error

// WithCAFile trusts the CAs of a PEM file, and no others.
func WithCAFile(path string) ClientOption {
	return func(c *Client) error {
		if path == "" {
			return nil
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return usage("CA file: %v", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return usage("CA file %s: no certificate in it", path)
		}
		c.tls.RootCAs = roots
		return nil
	}
}

// NewClient returns a client of the relay at https://host[:port].
func NewClient(relay string, options ...ClientOption) (*Client, error) {
	parsed, err := parseRelayURL(relay)
	if err != nil {
		return nil, err
	}
	c := &Client{relay: parsed, tls: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: parsed.Hostname()}}
	for _, option := range options {
		if err := option(c); err != nil {
			return nil, err
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	c.http = &http.Client{
		// Proxies of the environment are not used: reverse sessions could not go through them either.
		Transport: &http.Transport{
			TLSClientConfig: c.tls,
			DialContext:     dialRelay,
			// What is compressed may be of any size.
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        30 * time.Second,
		},
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Now is the time by the relay's clock, as far as its answers tell.
func (c *Client) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// dialRelay knows that names under localhost are this machine (RFC 6761), whatever the resolver says.
func dialRelay(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return (&net.Dialer{Timeout: callTimeout}).DialContext(ctx, network, address)
}

func parseRelayURL(text string) (*url.URL, error) {
	whole := text
	if !strings.Contains(whole, "://") {
		whole = "https://" + whole
	}
	parsed, err := url.Parse(whole)
	if err != nil || parsed.Hostname() == "" {
		return nil, usage("not a relay URL: %q", text)
	}
	host := strings.ToLower(parsed.Hostname())
	isMock := parsed.Scheme == "http" && (host == "127.0.0.1" || host == "::1" || host == "localhost")
	switch {
	case parsed.Scheme != "https" && !isMock:
		return nil, usage("a relay URL begins with https://, not %s://", parsed.Scheme)
	case parsed.User != nil:
		return nil, usage("a relay URL carries no credentials")
	case (parsed.Path != "" && parsed.Path != "/") || parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "":
		return nil, usage("a relay URL is https://host[:port] and nothing after it: %q", text)
	}
	port := parsed.Port()
	if port != "" {
		if number, err := strconv.Atoi(port); err != nil || number < 1 || number > 65535 {
			return nil, usage("not a relay URL: %q", text)
		}
	}
	if (parsed.Scheme == "https" && port == "443") || (parsed.Scheme == "http" && port == "80") {
		port = ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return &url.URL{Scheme: parsed.Scheme, Host: host}, nil
}

type request struct {
	method      string
	path        string
	query       url.Values
	body        any
	accessToken string
}

type envelope struct {
	OK    *bool           `json:"ok"`
	Data  json.RawMessage `json:"data"`
	Error *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// send makes one call. T is the type of data.
func send[T any](ctx context.Context, c *Client, r request) (*T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, errTooSlow)
	defer cancel()
	var body io.Reader
	if r.body != nil || r.method == http.MethodPost {
		text := []byte("{}")
		if r.body != nil {
			var err error
			if text, err = json.Marshal(r.body); err != nil {
				return nil, usage("the request cannot be written as JSON: %v", err)
			}
		}
		body = bytes.NewReader(text)
	}
	target := *c.relay
	call, err := http.NewRequestWithContext(ctx, r.method, target.String()+r.path, body)
	if err != nil {
		return nil, usage("%v", err)
	}
	call.URL.RawQuery = r.query.Encode()
	call.Header.Set("Accept", "application/json")
	if body != nil {
		call.Header.Set("Content-Type", "application/json")
	}
	if r.accessToken != "" {
		call.Header.Set("X-Portal-Access-Token", r.accessToken)
	}
	answer, err := c.http.Do(call)
	if err != nil {
		return nil, c.networkError(ctx, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes+1))
	if err != nil {
		return nil, c.networkError(ctx, err)
	}
	if len(text) > maxAnswerBytes {
		return nil, &AnswerError{"the relay's answer is too large", answer.StatusCode}
	}
	if told, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		c.offset.Store(int64(time.Until(told)))
	}
	var data T
	if err := readEnvelope(text, answer, &data); err != nil {
		return nil, err
	}
	return &data, nil
}

func readEnvelope(text []byte, answer *http.Response, data any) error {
	status := answer.StatusCode
	var read envelope
	if err := json.Unmarshal(text, &read); err != nil || read.OK == nil {
		return &AnswerError{fmt.Sprintf("the answer has status %d and no envelope: is it a relay?", status), status}
	}
	if !*read.OK {
		return apiError(read, status, answer.Header.Get("Retry-After"))
	}
	if status < 200 || status > 299 {
		return &AnswerError{fmt.Sprintf("the answer has status %d and says that it succeeded", status), status}
	}
	if len(read.Data) == 0 || string(read.Data) == "null" {
		return &AnswerError{"the answer has no data", status}
	}
	if err := json.Unmarshal(read.Data, data); err != nil {
		return &AnswerError{fmt.Sprintf("the answer is not as the contract has it: %v", err), status}
	}
	return nil
}

func apiError(read envelope, status int, retryAfter string) error {
	if read.Error == nil || read.Error.Code == "" {
		return &AnswerError{fmt.Sprintf("the answer has status %d and an error without a code", status), status}
	}
	code := ErrorCode(printable(read.Error.Code, 64))
	wait := time.Duration(Catalogue[code].RetryAfterSeconds) * time.Second
	if seconds, err := strconv.ParseUint(retryAfter, 10, 31); err == nil {
		wait = min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	return &APIError{Code: code, Message: printable(read.Error.Message, 1024), Status: status, RetryAfter: wait}
}

// printable is a relay's text as it may stand in a terminal.
func printable(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
	return text[:min(len(text), most)]
}

var errTooSlow = errors.New("too slow")

func (c *Client) networkError(ctx context.Context, err error) error {
	if context.Cause(ctx) == errTooSlow || errors.Is(err, os.ErrDeadlineExceeded) {
		return &NetworkError{Timeout, fmt.Sprintf("no answer from %s within %v", c.relay, callTimeout), err}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return &NetworkError{Clock, fmt.Sprintf("the certificate of %s is not valid by this clock: set the clock", c.relay), err}
	}
	var unverified *tls.CertificateVerificationError
	if errors.As(err, &unverified) {
		return &NetworkError{Certificate, fmt.Sprintf("the certificate of %s cannot be trusted: %v", c.relay, unverified.Err), err}
	}
	return &NetworkError{Unreachable, fmt.Sprintf("cannot reach %s: %v", c.relay, err), err}
}
