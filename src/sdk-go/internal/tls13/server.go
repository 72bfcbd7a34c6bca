// Package tls13 is the server's end of TLS 1.3 (RFC 8446) whose CertificateVerify somebody else signs. crypto/tls asks a
// crypto.Signer for a signature of a hash, and does not show it the messages that a relay wants to see before it signs.
package tls13

import (
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Record types (RFC 8446 5.1).
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordApplicationData  = 23
)

const (
	maxPlaintext        = 1 << 14
	maxClientHello      = 16 << 10
	maxEarlyData        = 16 << 10
	maxKeyUpdatesInRow  = 32
	maxSaysNothingInRow = 32
)

var changeCipherSpec = []byte{recordChangeCipherSpec, 3, 3, 0, 1, 1}

// Transport carries the bytes of a connection.
type Transport interface {
	io.Reader
	io.Writer
}

// SignRequest is what a handshake needs signed.
type SignRequest struct {
	Scheme int

	// Transcript has the messages from ClientHello to Certificate, with their headers.
	Transcript []byte

	// Content is what the signature is over (RFC 8446 4.4.3).
	Content []byte
}

// Config is how a connection is served.
type Config struct {
	Chain *Chain

	// ServerName is the one that is served; any, if it is empty.
	ServerName string

	// Protocols of ALPN, the most preferred first. A client that offers none of them is refused.
	Protocols []string

	// Sign returns the signature in the form of TLS.
	Sign func(SignRequest) ([]byte, error)
}

// Conn is one connection. Read and Write may be called at the same time, each by one goroutine.
type Conn struct {
	transport Transport
	config    Config
	suite     *cipherSuite
	protocol  string

	in       *protection
	header   [5]byte
	record   []byte
	content  []byte
	message  []byte
	readErr  error
	quiet    int
	updates  int
	early    int
	isSecure bool

	outMutex sync.Mutex
	out      *protection
	isClosed bool
	buffer   []byte
	perKey   uint64
}

// Server returns a connection whose handshake is still to be done.
func Server(transport Transport, config Config) *Conn {
	return &Conn{transport: transport, config: config, perKey: maxRecordsPerKey}
}

// Protocol is the one of ALPN; empty for none.
func (c *Conn) Protocol() string { return c.protocol }

// Handshake runs the handshake. After an error the client has its alert.
func (c *Conn) Handshake() error {
	err := c.handshake()
	if err != nil {
		c.fail(err)
	}
	return err
}

func (c *Conn) handshake() error {
	hello, err := c.readHello()
	if err != nil {
		return err
	}
	var before []byte
	var transcript []byte
	group, share, err := c.negotiate(hello)
	if err != nil {
		return err
	}
	isRetried := share == nil
	if isRetried {
		retry := serverHello(helloRetryRequestRandom, hello.sessionID, c.suite.number, group, nil)
		flight := plainRecord(recordHandshake, retry)
		if len(hello.sessionID) > 0 {
			flight = append(flight, changeCipherSpec...)
		}
		if _, err := c.transport.Write(flight); err != nil {
			return err
		}
		second, err := c.readHello()
		if err != nil {
			return err
		}
		if err := checkRetried(hello, second, group); err != nil {
			return err
		}
		before = slices.Concat(hello.raw, retry)
		// RFC 8446 4.4.1: the first ClientHello counts as its hash.
		transcript = append(handshakeMessage(typeMessageHash, digest(c.suite, hello.raw)), retry...)
		hello = second
		if group, share, err = c.negotiate(hello); err != nil {
			return err
		}
	}
	scheme, err := c.chooseScheme(hello)
	if err != nil {
		return err
	}
	own, shared, err := agree(group, share)
	if err != nil {
		return err
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	answer := serverHello(random, hello.sessionID, c.suite.number, group, own)
	messages := append(encryptedExtensions(c.protocol, hello.hasServerName), certificateMessage(c.config.Chain.Certificates)...)
	transcript = slices.Concat(transcript, hello.raw, answer)
	signature, err := c.config.Sign(SignRequest{
		Scheme:     scheme,
		Transcript: slices.Concat(before, hello.raw, answer, messages),
		Content:    CertificateVerifyContent(digest(c.suite, transcript, messages)),
	})
	if err != nil {
		return fmt.Errorf("tls: no signature: %w", err)
	}
	if len(signature) == 0 || len(signature) > 0xffff {
		return errors.New("tls: no signature")
	}
	flight := plainRecord(recordHandshake, answer)
	// One for each handshake: with a retry it was sent behind the HelloRetryRequest (RFC 8446 D.4).
	if !isRetried && len(hello.sessionID) > 0 {
		flight = append(flight, changeCipherSpec...)
	}
	return c.finish(handshakeSecret(c.suite, shared), transcript, append(messages, certificateVerify(scheme, signature)...), flight)
}

// finish sends the server's flight and takes the client's Finished.
func (c *Conn) finish(handshake secret, transcript, messages, flight []byte) error {
	atHello := digest(c.suite, transcript)
	client, server := handshake.derive("c hs traffic", atHello), handshake.derive("s hs traffic", atHello)
	messages = append(messages, handshakeMessage(typeFinished, server.finished(digest(c.suite, transcript, messages)))...)
	sealer := protect(server)
	for part := range slices.Chunk(messages, maxPlaintext) {
		flight = sealer.seal(flight, recordHandshake, part)
	}
	whole := digest(c.suite, transcript, messages)
	master := masterSecret(handshake)
	c.in = protect(client)
	c.outMutex.Lock()
	c.out = protect(master.derive("s ap traffic", whole))
	c.outMutex.Unlock()
	if _, err := c.transport.Write(flight); err != nil {
		return err
	}
	expected := client.finished(whole)
	finished, err := c.readMessage(typeFinished, len(expected))
	if err != nil {
		return err
	}
	if !hmac.Equal(finished[4:], expected) {
		return fault(alertDecryptError, "Finished is wrong")
	}
	c.in = protect(master.derive("c ap traffic", whole))
	c.early = 0
	c.isSecure = true
	return nil
}

func (c *Conn) readHello() (*clientHello, error) {
	message, err := c.readMessage(typeClientHello, maxClientHello)
	if err != nil {
		return nil, err
	}
	hello, err := parseClientHello(message)
	if err != nil {
		return nil, err
	}
	c.early = 0
	if hello.has(extEarlyData) {
		c.early = maxEarlyData
	}
	return hello, nil
}

// negotiate returns the group, and the client's share for it; nil where it must be asked for one.
func (c *Conn) negotiate(hello *clientHello) (group int, share []byte, err error) {
	if hello.legacyVersion <= 0x0300 || !slices.Contains(hello.supportedVersions, version13) {
		return 0, nil, fault(alertProtocolVersion, "the client does not speak TLS 1.3")
	}
	if len(hello.compressionMethods) != 1 || hello.compressionMethods[0] != 0 {
		return 0, nil, fault(alertIllegalParameter, "the client offers compression")
	}
	if hello.has(extPreSharedKey) && !hello.has(extPSKKeyExchangeModes) {
		return 0, nil, fault(alertMissingExtension, "pre_shared_key without psk_key_exchange_modes")
	}
	if c.suite = chooseSuite(hello); c.suite == nil {
		return 0, nil, fault(alertHandshakeFailure, "no cipher suite in common")
	}
	if c.config.ServerName != "" && hello.hasServerName && hello.serverName != c.config.ServerName {
		return 0, nil, fault(alertUnrecognizedName, "another name is wanted")
	}
	if err := c.chooseProtocol(hello); err != nil {
		return 0, nil, err
	}
	return chooseGroup(hello)
}

func chooseSuite(hello *clientHello) *cipherSuite {
	var known []*cipherSuite
	for _, number := range hello.cipherSuites {
		for _, suite := range cipherSuites {
			if suite.number == number {
				known = append(known, suite)
			}
		}
	}
	// A client that has ChaCha20 first has no AES in hardware.
	if len(known) > 0 && known[0].number == chacha20Suite {
		return known[0]
	}
	for _, suite := range cipherSuites {
		if slices.Contains(known, suite) {
			return suite
		}
	}
	return nil
}

func chooseGroup(hello *clientHello) (group int, share []byte, err error) {
	if hello.supportedGroups == nil || hello.keyShares == nil {
		return 0, nil, fault(alertMissingExtension, "the client sends no supported_groups or no key_share")
	}
	for _, offered := range hello.shareOrder {
		if !slices.Contains(hello.supportedGroups, offered) {
			return 0, nil, fault(alertIllegalParameter, "a key share belongs to no group that is offered")
		}
	}
	// One that needs no other round trip comes first.
	for _, group := range groups {
		if share, ok := hello.keyShares[group]; ok {
			return group, share, nil
		}
	}
	for _, group := range groupsToAskOf {
		if slices.Contains(hello.supportedGroups, group) {
			return group, nil, nil
		}
	}
	return 0, nil, fault(alertHandshakeFailure, "no key exchange group in common")
}

func (c *Conn) chooseScheme(hello *clientHello) (int, error) {
	if hello.signatureAlgorithms == nil {
		return 0, fault(alertMissingExtension, "the client sends no signature_algorithms")
	}
	for _, scheme := range c.config.Chain.Schemes {
		if slices.Contains(hello.signatureAlgorithms, scheme) {
			return scheme, nil
		}
	}
	return 0, fault(alertHandshakeFailure, "no signature scheme in common")
}

func (c *Conn) chooseProtocol(hello *clientHello) error {
	if hello.alpn == nil || len(c.config.Protocols) == 0 {
		return nil
	}
	for _, protocol := range c.config.Protocols {
		if slices.Contains(hello.alpn, protocol) {
			c.protocol = protocol
			return nil
		}
	}
	return fault(alertNoApplicationProtocol, "no application protocol in common")
}

// Read reads application data; io.EOF after close_notify.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(c.content) == 0 {
		if c.readErr != nil {
			return 0, c.readErr
		}
		if err := c.readContent(); err != nil {
			if isTimeout(err) {
				return 0, err
			}
			c.readErr = err
			if err != io.EOF {
				c.fail(err)
			}
		}
	}
	n := copy(p, c.content)
	c.content = c.content[n:]
	return n, nil
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// readContent reads one record of a connection whose handshake is done.
func (c *Conn) readContent() error {
	kind, content, err := c.readRecord()
	if err != nil {
		return err
	}
	switch kind {
	case recordApplicationData:
		if len(c.message) > 0 {
			return fault(alertUnexpectedMessage, "a handshake message is interrupted")
		}
		c.updates = 0
		c.content = content
		return c.countQuiet(len(content) == 0)
	case recordHandshake:
		message, err := c.takeMessage(content, typeKeyUpdate, 1)
		if err != nil || message == nil {
			return err
		}
		return c.keyUpdate(message)
	}
	return fault(alertUnexpectedMessage, "a record of type %d out of turn", kind)
}

func (c *Conn) keyUpdate(message []byte) error {
	if len(message) != 5 || message[4] > 1 {
		return fault(alertIllegalParameter, "KeyUpdate is not valid")
	}
	if c.updates++; c.updates > maxKeyUpdatesInRow {
		return fault(alertUnexpectedMessage, "too many KeyUpdate messages")
	}
	c.in.update()
	if message[4] == 0 {
		return nil
	}
	c.outMutex.Lock()
	defer c.outMutex.Unlock()
	if c.isClosed {
		return nil
	}
	_, err := c.transport.Write(c.updateKeys(nil))
	return err
}

// updateKeys appends a KeyUpdate; the lock is held.
func (c *Conn) updateKeys(to []byte) []byte {
	to = c.out.seal(to, recordHandshake, handshakeMessage(typeKeyUpdate, []byte{0}))
	c.out.update()
	return to
}

// readMessage reads a handshake message of a type; it has to end its record, since other keys follow (RFC 8446 5.1).
func (c *Conn) readMessage(kind byte, most int) ([]byte, error) {
	for {
		recordKind, content, err := c.readRecord()
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if recordKind != recordHandshake {
			return nil, fault(alertUnexpectedMessage, "a record of type %d out of turn", recordKind)
		}
		message, err := c.takeMessage(content, kind, most)
		if err != nil || message != nil {
			return message, err
		}
	}
}

// takeMessage collects a message over several records; nil while some of it is missing.
func (c *Conn) takeMessage(content []byte, kind byte, most int) ([]byte, error) {
	if len(content) == 0 {
		return nil, fault(alertUnexpectedMessage, "an empty record of the handshake")
	}
	c.message = append(c.message, content...)
	if c.message[0] != kind {
		return nil, fault(alertUnexpectedMessage, "handshake message %d out of turn", c.message[0])
	}
	if len(c.message) < 4 {
		return nil, nil
	}
	length := (&reader{data: c.message[1:4]}).uint(3)
	if length > most {
		return nil, fault(alertDecodeError, "a handshake message is too long")
	}
	if len(c.message) < 4+length {
		return nil, nil
	}
	if len(c.message) > 4+length {
		return nil, fault(alertUnexpectedMessage, "a record goes on after a change of keys")
	}
	message := c.message
	c.message = nil
	return message, nil
}

// readRecord returns the next record that says something. The content is valid until the next call.
func (c *Conn) readRecord() (kind byte, content []byte, err error) {
	for {
		kind, content, err := c.nextRecord()
		if err != nil {
			return 0, nil, err
		}
		switch {
		case kind == recordAlert:
			if err := c.alert(content); err != nil {
				return 0, nil, err
			}
		case kind == recordChangeCipherSpec:
			if err := c.countQuiet(true); err != nil {
				return 0, nil, err
			}
		case content != nil:
			return kind, content, nil
		}
	}
}

// nextRecord returns nil content for early data that is skipped.
func (c *Conn) nextRecord() (kind byte, content []byte, err error) {
	body, err := c.readRaw()
	if err != nil {
		return 0, nil, err
	}
	kind = c.header[0]
	switch {
	case kind == recordChangeCipherSpec:
		if c.isSecure || len(body) != 1 || body[0] != 1 {
			return 0, nil, fault(alertUnexpectedMessage, "change_cipher_spec out of turn")
		}
		return kind, body, nil
	case c.in != nil && kind == recordApplicationData:
		if len(body) < c.in.aead.Overhead()+1 {
			return 0, nil, fault(alertDecodeError, "a record is too short")
		}
		length := len(body)
		kind, content, err = c.in.open(c.header[:], body)
		if err != nil && c.skipsEarlyData(length) {
			return recordApplicationData, nil, nil
		}
		if err == nil {
			c.early = 0
		}
	case kind == recordApplicationData && c.skipsEarlyData(len(body)):
		return kind, nil, nil
	case c.in != nil && (c.isSecure || kind != recordAlert):
		return 0, nil, fault(alertUnexpectedMessage, "a record in the clear")
	default:
		content = body
	}
	if err == nil && len(content) > maxPlaintext {
		err = fault(alertRecordOverflow, "a record is too long")
	}
	if content == nil {
		content = []byte{}
	}
	return kind, content, err
}

// readRaw reads a record; io.EOF where the transport ends between two of them.
func (c *Conn) readRaw() ([]byte, error) {
	if err := c.fill(5); err != nil {
		return nil, err
	}
	copy(c.header[:], c.record)
	kind, length := c.header[0], int(c.header[3])<<8|int(c.header[4])
	if kind < recordChangeCipherSpec || kind > recordApplicationData || c.header[1] != 3 {
		return nil, fault(alertUnexpectedMessage, "what the client sends is not TLS")
	}
	most := maxPlaintext
	if c.in != nil {
		most += 256
	}
	if length > most {
		return nil, fault(alertRecordOverflow, "a record is too long")
	}
	if err := c.fill(5 + length); err != nil {
		return nil, err
	}
	body := c.record[5 : 5+length : 5+length]
	// A new array, since the content is handed out.
	c.record = nil
	return body, nil
}

// fill reads until so many bytes of the record are there. It can be called again after a timeout.
func (c *Conn) fill(count int) error {
	if cap(c.record) < count {
		c.record = append(make([]byte, 0, max(count, 5)), c.record...)
	}
	for len(c.record) < count {
		n, err := c.transport.Read(c.record[len(c.record):count])
		c.record = c.record[:len(c.record)+n]
		if err != nil && len(c.record) < count {
			if err == io.EOF {
				// An attack, unless close_notify came before it.
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// skipsEarlyData: it is never accepted, but a client may have sent some (RFC 8446 4.2.10).
func (c *Conn) skipsEarlyData(length int) bool {
	if length > c.early {
		c.early = 0
		return false
	}
	c.early -= length
	return true
}

func (c *Conn) countQuiet(isQuiet bool) error {
	if !isQuiet {
		c.quiet = 0
		return nil
	}
	if c.quiet++; c.quiet > maxSaysNothingInRow {
		return fault(alertUnexpectedMessage, "too many records that say nothing")
	}
	return nil
}

// PeerError is an alert of the client's.
type PeerError struct{ Alert byte }

func (e *PeerError) Error() string {
	return fmt.Sprintf("tls: the client ends the connection by alert %d", e.Alert)
}

func (c *Conn) alert(content []byte) error {
	if len(content) != 2 {
		return fault(alertDecodeError, "an alert has two bytes")
	}
	switch {
	case content[1] == alertUserCanceled:
		return c.countQuiet(true)
	case content[1] == alertCloseNotify && c.isSecure:
		return io.EOF
	}
	return &PeerError{content[1]}
}

// Write sends application data.
func (c *Conn) Write(p []byte) (int, error) {
	c.outMutex.Lock()
	defer c.outMutex.Unlock()
	if c.isClosed || !c.isSecure {
		return 0, errClosed
	}
	const batch = 4 * maxPlaintext
	written := 0
	for part := range slices.Chunk(p, batch) {
		c.buffer = c.buffer[:0]
		for content := range slices.Chunk(part, maxPlaintext) {
			if c.out.count >= c.perKey {
				c.buffer = c.updateKeys(c.buffer)
			}
			c.buffer = c.out.seal(c.buffer, recordApplicationData, content)
		}
		if _, err := c.transport.Write(c.buffer); err != nil {
			c.isClosed = true
			return written, err
		}
		written += len(part)
	}
	return written, nil
}

// CloseWrite sends close_notify. The client may still send.
func (c *Conn) CloseWrite() error {
	c.outMutex.Lock()
	defer c.outMutex.Unlock()
	if c.isClosed || !c.isSecure {
		return errClosed
	}
	return c.sendAlert(1, alertCloseNotify)
}

// sendAlert ends what is written; the lock is held.
func (c *Conn) sendAlert(level, alert byte) error {
	c.isClosed = true
	record := plainRecord(recordAlert, []byte{level, alert})
	if c.out != nil {
		record = c.out.seal(nil, recordAlert, []byte{level, alert})
	}
	_, err := c.transport.Write(record)
	return err
}

// fail tells the client what is wrong, where it is the client's fault or there is no signature.
func (c *Conn) fail(err error) {
	alert := byte(alertInternalError)
	var ours *AlertError
	var theirs *PeerError
	switch {
	case errors.As(err, &ours):
		alert = ours.Alert
	case errors.As(err, &theirs), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return
	}
	c.outMutex.Lock()
	defer c.outMutex.Unlock()
	if !c.isClosed {
		_ = c.sendAlert(2, alert)
	}
}

func plainRecord(kind byte, content []byte) []byte {
	return append(append([]byte{kind, 3, 3}, uintBytes(len(content), 2)...), content...)
}
