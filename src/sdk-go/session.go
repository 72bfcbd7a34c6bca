package portal

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	sessionSilence    = 45 * time.Second
	cutGrace          = 5 * time.Second
	maxRefusalBytes   = 64 << 10
	maxFrame          = 1 << 20
	maxSigningMessage = 65_538
)

// Lengths that stand for something else (docs/protocol.md, Recycled sessions).
const (
	frameEnd     = 0
	frameLast    = 0xffff_fffe
	frameCut     = 0xffff_ffff
	frameSigning = 0xffff_fffd
)

var (
	errCut      = errors.New("the visitor's connection was cut")
	errProtocol = errors.New("the relay does not keep to the protocol")
)

// session is a reverse session: it waits for a visitor, serves it, and, if the relay recycles sessions, waits again.
type session struct {
	conn     net.Conn
	in       *bufio.Reader
	hasProxy bool
	recycles bool
	signs    bool
}

// openSession opens one. The context bounds opening it, and no more.
func openSession(ctx context.Context, c *Client, accessToken string) (*session, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, errTooSlow)
	defer cancel()
	conn, err := dialSession(ctx, c)
	if err != nil {
		return nil, c.networkError(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	s, err := switchProtocols(conn, c, accessToken)
	if !stop() || err != nil {
		conn.Close()
		var refusal *APIError
		var answer *AnswerError
		if errors.As(err, &refusal) || errors.As(err, &answer) {
			return nil, err
		}
		return nil, c.networkError(ctx, err)
	}
	return s, nil
}

func dialSession(ctx context.Context, c *Client) (net.Conn, error) {
	port := c.relay.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[c.relay.Scheme]
	}
	conn, err := dialRelay(ctx, "tcp", net.JoinHostPort(c.relay.Hostname(), port))
	if err != nil || c.relay.Scheme == "http" {
		return conn, err
	}
	config := c.tls.Clone()
	config.NextProtos = []string{"http/1.1"}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

func switchProtocols(conn net.Conn, c *Client, accessToken string) (*session, error) {
	request := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Path: "/sdk/connect"},
		Host:   c.relay.Host,
		Header: http.Header{
			"Connection":            {"Upgrade"},
			"Upgrade":               {"portal-reverse"},
			"X-Portal-Access-Token": {accessToken},
			"X-Portal-Binding":      {"1"},
			"X-Portal-Proxy":        {"2"},
			"X-Portal-Recycle":      {"1"},
			"X-Portal-Sign":         {"1"},
		},
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: conn, N: maxRefusalBytes}
	in := bufio.NewReader(limited)
	answer, err := http.ReadResponse(in, request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode < 400 {
			return nil, &AnswerError{fmt.Sprintf("the answer has status %d", answer.StatusCode), answer.StatusCode}
		}
		return nil, readEnvelope(text, answer, new(Empty))
	}
	limited.N = 1<<63 - 1
	recycles := answer.Header.Get("X-Portal-Recycle") == "1"
	signs := recycles && answer.Header.Get("X-Portal-Sign") == "1"
	return &session{conn: conn, in: in, hasProxy: true, recycles: recycles, signs: signs}, nil
}

// wait waits for a visitor.
func (s *session) wait() (*stream, error) {
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(sessionSilence)); err != nil {
			return nil, err
		}
		marker, err := s.in.ReadByte()
		if err != nil {
			return nil, err
		}
		if marker == markerKeepalive {
			continue
		}
		opening, err := readOpening(s.in, marker, true, s.hasProxy)
		if err != nil {
			return nil, err
		}
		if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
			return nil, err
		}
		return &stream{session: s, opening: opening}, nil
	}
}

// stream is one visitor's connection on a session. Read and Write may be called at the same time, each by one goroutine.
type stream struct {
	*session
	opening opening

	left    int
	pending []byte
	readErr error
	isLast  bool

	// broken: the session cannot be used any more.
	broken atomic.Bool

	mutex    sync.Mutex
	hasEnded bool
}

// Read gives the visitor's bytes; io.EOF at their end, errCut where the connection was cut.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.pending) > 0 {
		n := copy(p, s.pending)
		s.pending = s.pending[n:]
		return n, nil
	}
	if s.readErr != nil {
		return 0, s.readErr
	}
	n, err := s.read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		s.readErr = err
	}
	return n, err
}

func (s *stream) read(p []byte) (int, error) {
	if !s.recycles {
		n, err := s.in.Read(p)
		if err != nil && err != io.EOF {
			s.broken.Store(true)
		}
		return n, err
	}
	if s.left == 0 {
		length, err := s.nextFrame()
		if err != nil {
			return 0, err
		}
		if length == frameSigning {
			s.broken.Store(true)
			return 0, errProtocol
		}
		s.left = int(length)
	}
	n, err := s.in.Read(p[:min(len(p), s.left)])
	s.left -= n
	if err != nil && n == 0 {
		return 0, s.broke(err)
	}
	return n, nil
}

// nextFrame returns the length of the next frame, or frameSigning. It can be called again after a timeout.
func (s *stream) nextFrame() (uint32, error) {
	head, err := s.in.Peek(4)
	if err != nil {
		return 0, s.broke(err)
	}
	length := binary.BigEndian.Uint32(head)
	if _, err := s.in.Discard(4); err != nil {
		return 0, s.broke(err)
	}
	switch {
	case length == frameEnd, length == frameLast:
		s.isLast = length == frameLast
		return 0, io.EOF
	case length == frameCut:
		s.cut()
		return 0, errCut
	case length == frameSigning:
		return length, nil
	case length > maxFrame:
		s.broken.Store(true)
		return 0, errProtocol
	}
	return length, nil
}

func (s *stream) broke(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	s.broken.Store(true)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// sign asks for the signature of this connection's handshake, inside the session. Nothing else reads meanwhile.
func (s *stream) sign(scheme int, transcript []byte) ([]byte, error) {
	message := binary.BigEndian.AppendUint32(nil, frameSigning)
	message = binary.BigEndian.AppendUint32(message, uint32(len(transcript)+2))
	message = binary.BigEndian.AppendUint16(message, uint16(scheme))
	if err := s.writeAll(append(message, transcript...)); err != nil {
		return nil, err
	}
	for {
		length, err := s.nextFrame()
		if err != nil {
			s.readErr = err
			return nil, err
		}
		if length == frameSigning {
			return s.readSignature()
		}
		// The visitor sends something before it has an answer, such as early data.
		if len(s.pending)+int(length) > maxRefusalBytes {
			s.broken.Store(true)
			return nil, errProtocol
		}
		data := make([]byte, length)
		if _, err := io.ReadFull(s.in, data); err != nil {
			return nil, s.broke(err)
		}
		s.pending = append(s.pending, data...)
	}
}

func (s *stream) readSignature() ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(s.in, head); err != nil {
		return nil, s.broke(err)
	}
	length := binary.BigEndian.Uint32(head)
	if length < 2 || length > maxSigningMessage {
		s.broken.Store(true)
		return nil, errProtocol
	}
	message := make([]byte, length)
	if _, err := io.ReadFull(s.in, message); err != nil {
		return nil, s.broke(err)
	}
	if status := int(binary.BigEndian.Uint16(message)); status != http.StatusOK {
		return nil, readEnvelope(message[2:], &http.Response{StatusCode: status}, new(Empty))
	}
	return message[2:], nil
}

// Write sends bytes to the visitor.
func (s *stream) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.hasEnded {
		return 0, net.ErrClosed
	}
	if !s.recycles {
		return s.conn.Write(p)
	}
	written := 0
	for written < len(p) {
		part := p[written:min(len(p), written+maxFrame)]
		frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(part)), uint32(len(part)))
		if _, err := s.conn.Write(append(frame, part...)); err != nil {
			s.broken.Store(true)
			return written, err
		}
		written += len(part)
	}
	return written, nil
}

func (s *stream) writeAll(data []byte) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_, err := s.conn.Write(data)
	return err
}

// mark writes a length that stands for something else; the lock is held.
func (s *stream) mark(length uint32) {
	if _, err := s.conn.Write(binary.BigEndian.AppendUint32(nil, length)); err != nil {
		s.broken.Store(true)
	}
}

// end ends this side's direction.
func (s *stream) end() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.hasEnded {
		return
	}
	s.hasEnded = true
	if s.recycles {
		s.mark(frameEnd)
	} else if half, ok := s.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// cut breaks the visitor's connection off.
func (s *stream) cut() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.hasEnded {
		return
	}
	s.hasEnded = true
	if s.recycles {
		s.mark(frameCut)
		return
	}
	s.broken.Store(true)
	reset(s.conn)
}

// finish drops what still comes. It tells whether the session can wait for another visitor.
func (s *stream) finish() bool {
	if !s.recycles || s.broken.Load() {
		return false
	}
	if err := s.conn.SetDeadline(time.Now().Add(cutGrace)); err != nil {
		return false
	}
	s.pending = nil
	for s.readErr == nil {
		length, err := s.nextOf()
		if err != nil {
			s.readErr = err
			break
		}
		if _, err := io.CopyN(io.Discard, s.in, int64(length)); err != nil {
			return false
		}
	}
	if s.broken.Load() || s.isLast || (s.readErr != io.EOF && s.readErr != errCut) {
		return false
	}
	return s.conn.SetDeadline(time.Time{}) == nil
}

// nextOf is how much of the present or the next frame is to be dropped.
func (s *stream) nextOf() (int, error) {
	if s.left > 0 {
		left := s.left
		s.left = 0
		return left, nil
	}
	length, err := s.nextFrame()
	if err == nil && length == frameSigning {
		s.broken.Store(true)
		return 0, errProtocol
	}
	return int(length), err
}

// reset closes a connection so that its peer takes it for cut, not for ended.
func reset(conn net.Conn) {
	inner := conn
	if secure, ok := conn.(*tls.Conn); ok {
		inner = secure.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = inner.Close()
}
