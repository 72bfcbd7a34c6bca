package portal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"portal.example/sdk/internal/tls13"
)

const (
	handshakeTimeout = 10 * time.Second
	dialTimeout      = 10 * time.Second
	approvalWait     = 15 * time.Second
)

// Config is what to expose, and where.
type Config struct {
	// Relay is its URL, https://host[:port].
	Relay string

	LeaseRequest

	// Account owns the name. If it is nil, a new one does, which is gone afterwards.
	Account *Account

	// CAFile is in PEM, for a relay whose certificate is from a CA that this machine does not know.
	CAFile string

	// Ready is how many sessions wait for visitors: 4 if it is 0, 8 at most.
	Ready int

	// MaxConnections is how many visitors there are at once, 256 if it is 0. What is more waits at the relay.
	MaxConnections int

	// Logger is slog.Default() if it is nil. No token, key or binding is logged.
	Logger *slog.Logger
}

// Listener accepts the visitors of a public name. It renews the lease, reconnects when the relay restarts, and gives the
// name back when it is closed.
type Listener struct {
	client *Client
	keeper *leaseKeeper
	config Config
	log    *slog.Logger

	ctx      context.Context
	end      context.CancelCauseFunc
	accepted chan *Conn
	tried    chan struct{}
	once     sync.Once
	tasks    sync.WaitGroup
	closing  sync.Once

	mutex       sync.Mutex
	certificate *certificate
	waiting     int
	sessions    int
}

type certificate struct {
	chain *tls13.Chain
	keyID string
}

var _ net.Listener = (*Listener)(nil)

// Listen takes a name. It returns once there is a lease, and a session or the relay's word that it has to wait; errors
// that nothing helps against end it. While the relay is not reached it is tried again and again: bound it by the context,
// which is of no account later.
func Listen(ctx context.Context, config Config) (*Listener, error) {
	config.Ready = valueOr(config.Ready, 4)
	config.MaxConnections = valueOr(config.MaxConnections, 256)
	if config.Ready < 1 || config.Ready > 8 {
		return nil, usage("Ready is from 1 to 8: a relay lets no more sessions wait")
	}
	if config.MaxConnections < 1 {
		return nil, usage("MaxConnections is at least 1")
	}
	if config.Account == nil {
		account, err := NewAccount()
		if err != nil {
			return nil, err
		}
		config.Account = account
	}
	client, err := NewClient(config.Relay, WithCAFile(config.CAFile))
	if err != nil {
		return nil, err
	}
	l := &Listener{client: client, config: config, log: config.Logger, accepted: make(chan *Conn), tried: make(chan struct{})}
	if l.log == nil {
		l.log = slog.Default()
	}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	l.keeper = newLeaseKeeper(client, config.Account, config.LeaseRequest, l.log, l.learnCertificate)
	l.start(func() error { return l.keeper.run(l.ctx) })
	l.refill()
	select {
	case <-l.tried:
		return l, nil
	case <-l.ctx.Done():
		l.Close()
		return nil, context.Cause(l.ctx)
	case <-ctx.Done():
		l.Close()
		return nil, ctx.Err()
	}
}

// Expose puts a service of this machine, host:port, on a public name. Wait tells when that ends.
func Expose(ctx context.Context, target string, config Config) (*Listener, error) {
	if _, _, err := net.SplitHostPort(target); err != nil {
		return nil, usage("not a target: %q (host:port)", target)
	}
	l, err := Listen(ctx, config)
	if err != nil {
		return nil, err
	}
	l.start(func() error { return l.forward(target) })
	return l, nil
}

func valueOr(value, otherwise int) int {
	if value == 0 {
		return otherwise
	}
	return value
}

// start runs a task whose error ends the listener, also when it panics.
func (l *Listener) start(task func() error) {
	l.tasks.Add(1)
	go func() {
		defer l.tasks.Done()
		defer func() {
			if fault := recover(); fault != nil {
				l.log.Error("a fault in the client", "fault", fault, "stack", string(debug.Stack()))
				l.end(fmt.Errorf("a fault in the client: %v", fault))
			}
		}()
		if err := task(); err != nil {
			l.end(err)
		}
	}()
}

// URL is where visitors come to.
func (l *Listener) URL() string {
	lease := l.Lease()
	if lease.SNIPort != 0 && lease.SNIPort != 443 {
		return "https://" + net.JoinHostPort(lease.Hostname, strconv.FormatInt(lease.SNIPort, 10))
	}
	return "https://" + lease.Hostname
}

// Lease is the newest one.
func (l *Listener) Lease() Lease {
	l.keeper.mutex.Lock()
	defer l.keeper.mutex.Unlock()
	if l.keeper.lease == nil {
		return Lease{}
	}
	return *l.keeper.lease
}

// Addr is the public name and port.
func (l *Listener) Addr() net.Addr {
	lease := l.Lease()
	return publicAddr(net.JoinHostPort(lease.Hostname, strconv.Itoa(valueOr(int(lease.SNIPort), 443))))
}

// Accept waits for a visitor, whose handshake is done. The connection is a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.ctx.Done():
		return nil, context.Cause(l.ctx)
	}
}

// Wait returns the error that ended the listener; net.ErrClosed after Close.
func (l *Listener) Wait() error {
	<-l.ctx.Done()
	return context.Cause(l.ctx)
}

// Close ends the connections, and gives the name back.
func (l *Listener) Close() error {
	l.closing.Do(func() {
		l.keeper.giveBack()
		l.end(net.ErrClosed)
		l.tasks.Wait()
		l.client.Close()
	})
	return nil
}

// learnCertificate asks the relay for its chain.
func (l *Listener) learnCertificate(ctx context.Context) error {
	domain, err := l.client.GetDomain(ctx)
	if err != nil {
		return err
	}
	if domain.RootHost != l.client.relay.Hostname() {
		return &AnswerError{Message: fmt.Sprintf("the relay is %q, not %s: use its own URL", domain.RootHost, l.client.relay.Hostname())}
	}
	if domain.Keyless == nil {
		return &APIError{Code: CodeFeatureUnavailable, Message: "the relay does not sign handshakes", Status: 404}
	}
	chain, err := tls13.ParseChain([]byte(domain.Keyless.CertificateChain))
	if err != nil {
		return &AnswerError{Message: fmt.Sprintf("the relay's certificate chain is not usable: %v", err)}
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.certificate = &certificate{chain, domain.Keyless.KeyID}
	return nil
}

// refill keeps sessions waiting, as long as there is room for their visitors.
func (l *Listener) refill() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for l.ctx.Err() == nil && l.waiting < l.config.Ready && l.sessions < l.config.Ready+l.config.MaxConnections {
		l.waiting++
		l.sessions++
		l.start(l.runSession)
	}
}

func (l *Listener) count(waiting, sessions int) {
	l.mutex.Lock()
	l.waiting += waiting
	l.sessions += sessions
	l.mutex.Unlock()
	l.refill()
}

// hasEnough tells whether more sessions wait than are wanted.
func (l *Listener) hasEnough() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.waiting > l.config.Ready
}

// runSession opens one session after the other. One that is recycled goes on waiting, also where enough others wait: to
// close it would cut a visitor that it may have been given already. The relay closes those that it does not need.
func (l *Listener) runSession() error {
	isWaiting := 1
	defer func() { l.count(-isWaiting, -1) }()
	var retry backoff
	for {
		_, token, err := l.keeper.current(l.ctx)
		if err != nil {
			return nil
		}
		s, err := openSession(l.ctx, l.client, token)
		if err == nil {
			l.keeper.accepted()
			l.once.Do(func() { close(l.tried) })
			err = l.serve(s, &isWaiting, &retry)
			if err == nil || isWaiting == 0 {
				return nil
			}
		}
		if l.ctx.Err() != nil || l.hasEnough() {
			return nil
		}
		delay, err := l.recover(err, token, &retry)
		if err != nil {
			return err
		}
		if sleep(l.ctx, delay) != nil {
			return nil
		}
	}
}

// recover returns how long to wait before another session is opened, or the error that ends the listener.
func (l *Listener) recover(err error, token string, retry *backoff) (time.Duration, error) {
	delay := retry.after(err)
	var refusal *APIError
	var network *NetworkError
	var answer *AnswerError
	isRefusal := errors.As(err, &refusal)
	if !isRefusal && !errors.As(err, &network) && !errors.As(err, &answer) {
		// A relay closes sessions that it does not need, and restarts.
		return delay, nil
	}
	l.once.Do(func() { close(l.tried) })
	what := decide(err, callConnect, l.keeper.served())
	switch {
	case what == stop:
		return 0, err
	case what == registerAgain || what == registerOnce:
		l.keeper.lose(token, err)
	case isRefusal && refusal.Code == CodeLeaseRejected:
		l.log.Warn("the relay's operator has not approved this lease yet")
		return approvalWait, nil
	}
	level := slog.LevelWarn
	if isRefusal && refusal.Code == CodeRateLimited {
		level = slog.LevelDebug
	}
	l.log.Log(l.ctx, level, "no session, trying again", "after", delay, "error", err)
	return delay, nil
}

// serve waits for one visitor after the other. Nil: the session has ended after a visitor.
func (l *Listener) serve(s *session, isWaiting *int, retry *backoff) error {
	defer s.conn.Close()
	defer context.AfterFunc(l.ctx, func() { s.conn.Close() })()
	for {
		visitor, err := s.wait()
		if err != nil {
			return err
		}
		retry.reset()
		*isWaiting = 0
		l.count(-1, 0)
		l.serveVisitor(visitor)
		if l.ctx.Err() != nil || !visitor.finish() {
			return nil
		}
		*isWaiting = 1
		l.count(1, 0)
	}
}

func (l *Listener) serveVisitor(visitor *stream) {
	// A fault here ends this connection, and nothing else.
	defer func() {
		if fault := recover(); fault != nil {
			l.log.Error("a fault in the client", "fault", fault, "stack", string(debug.Stack()))
			visitor.broken.Store(true)
		}
		visitor.cut()
	}()
	conn, err := l.handshake(visitor)
	if err != nil {
		l.log.Debug("a handshake fails", "error", err)
		visitor.end()
		return
	}
	select {
	case l.accepted <- conn:
		select {
		case <-conn.done:
		case <-l.ctx.Done():
		}
	case <-l.ctx.Done():
	}
}

func (l *Listener) handshake(visitor *stream) (*Conn, error) {
	conn := &Conn{stream: visitor, local: l.Addr(), done: make(chan struct{})}
	if visitor.opening.marker == markerRawTCP {
		return conn, nil
	}
	l.mutex.Lock()
	known := l.certificate
	l.mutex.Unlock()
	ctx, cancel := context.WithTimeout(l.ctx, handshakeTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	if err := visitor.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	conn.tls = tls13.Server(visitor, tls13.Config{
		Chain:      known.chain,
		ServerName: l.Lease().Hostname,
		Protocols:  []string{"http/1.1"},
		Sign: func(request tls13.SignRequest) ([]byte, error) {
			signature, err := l.sign(ctx, visitor, known.keyID, request)
			if HasCode(err, CodeInvalidRequest) {
				l.log.Warn("the relay does not sign a handshake", "error", err)
				if err := l.learnCertificate(ctx); err != nil {
					l.log.Warn("the relay's certificate was not fetched", "error", err)
				}
			}
			return signature, err
		},
	})
	if err := conn.tls.Handshake(); err != nil {
		return nil, err
	}
	return conn, visitor.conn.SetDeadline(time.Time{})
}

func (l *Listener) sign(ctx context.Context, visitor *stream, keyID string, request tls13.SignRequest) ([]byte, error) {
	if visitor.signs {
		return visitor.sign(request.Scheme, request.Transcript)
	}
	_, token, err := l.keeper.current(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := l.client.SignHandshake(ctx, token, TranscriptSignRequest{
		KeyID:           keyID,
		Binding:         base64.StdEncoding.EncodeToString(visitor.opening.binding),
		SignatureScheme: SignatureScheme(tls13.SchemeNames[request.Scheme]),
		Transcript:      base64.StdEncoding.EncodeToString(request.Transcript),
	})
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(answer.Signature)
}

// forward accepts visitors for a service.
func (l *Listener) forward(target string) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return nil
		}
		l.tasks.Add(1)
		go func() {
			defer l.tasks.Done()
			l.forwardVisitor(conn.(*Conn), target)
		}()
	}
}

func (l *Listener) forwardVisitor(conn *Conn, target string) {
	service, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(l.ctx, "tcp", target)
	if err != nil {
		l.log.Warn("the service is not reached", "error", err)
		_ = conn.Reset()
		return
	}
	defer service.Close()
	defer context.AfterFunc(l.ctx, func() { service.Close() })()
	toService := make(chan error, 1)
	go func() {
		_, err := io.Copy(service, conn)
		if err != nil {
			// Not an end: the service must not take what came for all there is.
			reset(service)
		} else {
			err = service.(*net.TCPConn).CloseWrite()
		}
		toService <- err
	}()
	if _, err := io.Copy(conn, service); err != nil {
		_ = conn.Reset()
		reset(service)
	} else {
		_ = conn.CloseWrite()
	}
	<-toService
	_ = conn.Close()
}
