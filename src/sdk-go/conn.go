package portal

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"portal.example/sdk/internal/tls13"
)

// Conn is a visitor's connection. TLS ends in it, except on a lease's public TCP port.
type Conn struct {
	stream   *stream
	tls      *tls13.Conn
	local    net.Addr
	isClosed atomic.Bool
	reading  sync.Mutex
	done     chan struct{}
}

var _ net.Conn = (*Conn)(nil)

// IsTLS tells a visitor of the name from one of the public TCP port.
func (c *Conn) IsTLS() bool { return c.tls != nil }

// Read reads what the visitor sends; io.EOF at its end, and another error where the connection was cut.
func (c *Conn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.isClosed.Load() {
		return 0, net.ErrClosed
	}
	read := c.stream.Read
	if c.tls != nil {
		read = c.tls.Read
	}
	n, err := read(p)
	if err != nil && c.isClosed.Load() {
		err = net.ErrClosed
	}
	return n, err
}

// Write sends to the visitor.
func (c *Conn) Write(p []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Write(p)
	}
	return c.stream.Write(p)
}

// CloseWrite ends this direction. The visitor may still send.
func (c *Conn) CloseWrite() error {
	if c.isClosed.Load() {
		return net.ErrClosed
	}
	return c.closeWrite()
}

func (c *Conn) closeWrite() error {
	var err error
	if c.tls != nil {
		err = c.tls.CloseWrite()
	}
	c.stream.end()
	return err
}

// Close ends the connection; what the visitor still sends is dropped.
func (c *Conn) Close() error {
	return c.close(func() {
		// Whoever does not take what was written holds this up no longer than that.
		_ = c.stream.conn.SetWriteDeadline(time.Now().Add(cutGrace))
		_ = c.closeWrite()
	})
}

// Reset breaks the connection off, so that the visitor takes it for cut and not for ended.
func (c *Conn) Reset() error { return c.close(c.stream.cut) }

func (c *Conn) close(end func()) error {
	if !c.isClosed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	end()
	// The session reads on: no Read of the visitor's may be under way then.
	_ = c.stream.conn.SetReadDeadline(time.Unix(1, 0))
	c.reading.Lock()
	defer c.reading.Unlock()
	close(c.done)
	return nil
}

// LocalAddr is the public name.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the visitor's address, where the relay can tell.
func (c *Conn) RemoteAddr() net.Addr {
	if c.stream.opening.visitor != nil {
		return c.stream.opening.visitor
	}
	return c.stream.conn.RemoteAddr()
}

// SetDeadline is of net.Conn. After a write that has timed out the connection is of no use.
func (c *Conn) SetDeadline(t time.Time) error { return c.deadline(c.stream.conn.SetDeadline, t) }

// SetReadDeadline is of net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.deadline(c.stream.conn.SetReadDeadline, t)
}

// SetWriteDeadline is of net.Conn. After a write that has timed out the connection is of no use.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.deadline(c.stream.conn.SetWriteDeadline, t)
}

func (c *Conn) deadline(set func(time.Time) error, t time.Time) error {
	if c.isClosed.Load() {
		return net.ErrClosed
	}
	return set(t)
}

// publicAddr is where visitors come to.
type publicAddr string

func (publicAddr) Network() string { return "tcp" }

func (a publicAddr) String() string { return string(a) }
