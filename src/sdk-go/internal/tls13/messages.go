package tls13

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// Handshake message types (RFC 8446 4).
const (
	typeClientHello         = 1
	typeServerHello         = 2
	typeEncryptedExtensions = 8
	typeCertificate         = 11
	typeCertificateVerify   = 15
	typeFinished            = 20
	typeKeyUpdate           = 24
	typeMessageHash         = 254
)

// Extension types (RFC 8446 4.2).
const (
	extServerName           = 0
	extSupportedGroups      = 10
	extSignatureAlgorithms  = 13
	extALPN                 = 16
	extPadding              = 21
	extPreSharedKey         = 41
	extEarlyData            = 42
	extSupportedVersions    = 43
	extCookie               = 44
	extPSKKeyExchangeModes  = 45
	extKeyShare             = 51
	extEncryptedClientHello = 0xfe0d
)

const version13 = 0x0304

// Alerts (RFC 8446 6).
const (
	alertCloseNotify           = 0
	alertUnexpectedMessage     = 10
	alertBadRecordMAC          = 20
	alertRecordOverflow        = 22
	alertHandshakeFailure      = 40
	alertIllegalParameter      = 47
	alertDecodeError           = 50
	alertDecryptError          = 51
	alertProtocolVersion       = 70
	alertInternalError         = 80
	alertUserCanceled          = 90
	alertMissingExtension      = 109
	alertUnrecognizedName      = 112
	alertNoApplicationProtocol = 120
)

var helloRetryRequestRandom = []byte{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

// AlertError is a fault of the client's, and the alert that tells it so.
type AlertError struct {
	Alert  byte
	Reason string
}

func (e *AlertError) Error() string { return "tls: " + e.Reason }

func fault(alert byte, format string, args ...any) error {
	return &AlertError{alert, fmt.Sprintf(format, args...)}
}

// reader takes values from the front of some bytes. After the first fault all of them are empty.
type reader struct {
	data []byte
	err  error
}

func (r *reader) take(count int) []byte {
	if r.err != nil || count > len(r.data) {
		r.fail(fault(alertDecodeError, "a message is too short"))
		return nil
	}
	taken := r.data[:count:count]
	r.data = r.data[count:]
	return taken
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.data = nil
}

func (r *reader) uint(size int) int {
	value := 0
	for _, b := range r.take(size) {
		value = value<<8 | int(b)
	}
	return value
}

// vector reads bytes with their length of so many bytes before them.
func (r *reader) vector(size, least int) []byte {
	content := r.take(r.uint(size))
	if len(content) < least {
		r.fail(fault(alertDecodeError, "a vector is too short"))
	}
	return content
}

func (r *reader) isEmpty() bool { return len(r.data) == 0 }

func (r *reader) end() error {
	if !r.isEmpty() {
		r.fail(fault(alertDecodeError, "something follows the end of a message"))
	}
	return r.err
}

// clientHello is RFC 8446 4.1.2. What its extension does not offer is nil.
type clientHello struct {
	raw                 []byte
	legacyVersion       int
	random              []byte
	sessionID           []byte
	cipherSuites        []int
	compressionMethods  []byte
	order               []int
	extensions          map[int][]byte
	serverName          string
	hasServerName       bool
	supportedVersions   []int
	supportedGroups     []int
	signatureAlgorithms []int
	shareOrder          []int
	keyShares           map[int][]byte
	alpn                []string
}

func (h *clientHello) has(extension int) bool {
	_, ok := h.extensions[extension]
	return ok
}

// parseClientHello reads a message with its header.
func parseClientHello(message []byte) (*clientHello, error) {
	r := &reader{data: message[4:]}
	h := &clientHello{raw: message, extensions: map[int][]byte{}}
	h.legacyVersion = r.uint(2)
	h.random = r.take(32)
	h.sessionID = r.vector(1, 0)
	if len(h.sessionID) > 32 {
		r.fail(fault(alertDecodeError, "the session id is too long"))
	}
	h.cipherSuites = uint16s(r, r.vector(2, 2))
	h.compressionMethods = r.vector(1, 1)
	if !r.isEmpty() {
		block := &reader{data: r.vector(2, 0), err: r.err}
		for !block.isEmpty() {
			kind, content := block.uint(2), block.vector(2, 0)
			if h.has(kind) {
				return nil, fault(alertIllegalParameter, "the ClientHello has the extension %d twice", kind)
			}
			h.extensions[kind] = content
			h.order = append(h.order, kind)
		}
		if block.err != nil {
			return nil, block.err
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	if h.has(extPreSharedKey) && h.order[len(h.order)-1] != extPreSharedKey {
		return nil, fault(alertIllegalParameter, "pre_shared_key is not the last extension")
	}
	return h, h.parseExtensions()
}

func (h *clientHello) parseExtensions() error {
	parsers := map[int]func(r *reader){
		extServerName:          h.parseServerName,
		extSupportedVersions:   func(r *reader) { h.supportedVersions = uint16s(r, r.vector(1, 2)) },
		extSupportedGroups:     func(r *reader) { h.supportedGroups = uint16s(r, r.vector(2, 2)) },
		extSignatureAlgorithms: func(r *reader) { h.signatureAlgorithms = uint16s(r, r.vector(2, 2)) },
		extKeyShare:            h.parseKeyShares,
		extALPN:                h.parseProtocols,
	}
	for _, kind := range h.order {
		if parse, ok := parsers[kind]; ok {
			r := &reader{data: h.extensions[kind]}
			parse(r)
			if err := r.end(); err != nil {
				return err
			}
		}
	}
	return nil
}

func uint16s(r *reader, data []byte) []int {
	if len(data)%2 != 0 {
		r.fail(fault(alertDecodeError, "a list of 16-bit values has an odd length"))
		return nil
	}
	values := make([]int, 0, len(data)/2)
	for at := 0; at < len(data); at += 2 {
		values = append(values, int(binary.BigEndian.Uint16(data[at:])))
	}
	return values
}

func (h *clientHello) parseServerName(r *reader) {
	names := &reader{data: r.vector(2, 1)}
	if names.uint(1) != 0 {
		names.fail(fault(alertDecodeError, "server_name has a type that is not known"))
	}
	name := names.vector(2, 1)
	if err := names.end(); err != nil {
		r.fail(err)
		return
	}
	for _, b := range name {
		if b <= 0x20 || b >= 0x7f {
			r.fail(fault(alertIllegalParameter, "server_name is not a host name"))
			return
		}
	}
	h.serverName, h.hasServerName = strings.ToLower(string(name)), true
}

func (h *clientHello) parseKeyShares(r *reader) {
	h.keyShares = map[int][]byte{}
	block := &reader{data: r.vector(2, 0)}
	for !block.isEmpty() {
		group, share := block.uint(2), block.vector(2, 1)
		if _, twice := h.keyShares[group]; twice {
			block.fail(fault(alertIllegalParameter, "key_share has a group twice"))
		}
		h.keyShares[group] = share
		h.shareOrder = append(h.shareOrder, group)
	}
	if block.err != nil {
		r.fail(block.err)
	}
}

func (h *clientHello) parseProtocols(r *reader) {
	block := &reader{data: r.vector(2, 2)}
	h.alpn = []string{}
	for !block.isEmpty() {
		h.alpn = append(h.alpn, string(block.vector(1, 1)))
	}
	if block.err != nil {
		r.fail(block.err)
	}
}

// checkRetried holds what a client may change after a HelloRetryRequest for a group (RFC 8446 4.1.2).
func checkRetried(first, second *clientHello, group int) error {
	wrong := func(what string) error { return fault(alertIllegalParameter, "the second ClientHello %s", what) }
	if first.legacyVersion != second.legacyVersion || !bytes.Equal(first.random, second.random) ||
		!bytes.Equal(first.sessionID, second.sessionID) || !slices.Equal(first.cipherSuites, second.cipherSuites) ||
		!bytes.Equal(first.compressionMethods, second.compressionMethods) {
		return wrong("differs from the first")
	}
	mayChange := []int{extKeyShare, extEarlyData, extCookie, extPreSharedKey, extPadding, extEncryptedClientHello}
	for _, kind := range append(slices.Clone(first.order), second.order...) {
		if slices.Contains(mayChange, kind) {
			continue
		}
		if first.has(kind) != second.has(kind) || !bytes.Equal(first.extensions[kind], second.extensions[kind]) {
			return wrong(fmt.Sprintf("changes the extension %d", kind))
		}
	}
	if !slices.Equal(second.shareOrder, []int{group}) {
		return wrong("has not the one key share that it was asked for")
	}
	if second.has(extEarlyData) {
		return wrong("offers early data")
	}
	if second.has(extCookie) {
		return wrong("has a cookie that it was not given")
	}
	return nil
}

func uintBytes(value, size int) []byte {
	out := make([]byte, size)
	for at := size - 1; at >= 0; at-- {
		out[at] = byte(value)
		value >>= 8
	}
	return out
}

func vector(size int, content []byte) []byte {
	return append(uintBytes(len(content), size), content...)
}

// handshakeMessage puts the header before a message.
func handshakeMessage(kind byte, body []byte) []byte { return append([]byte{kind}, vector(3, body)...) }

func extension(kind int, content []byte) []byte {
	return append(uintBytes(kind, 2), vector(2, content)...)
}

// serverHello is a HelloRetryRequest for the group if the share is nil.
func serverHello(random, sessionID []byte, suite, group int, share []byte) []byte {
	keyShare := uintBytes(group, 2)
	if share != nil {
		keyShare = append(keyShare, vector(2, share)...)
	}
	extensions := append(extension(extSupportedVersions, uintBytes(version13, 2)), extension(extKeyShare, keyShare)...)
	body := append([]byte{3, 3}, random...)
	body = append(body, vector(1, sessionID)...)
	body = append(body, uintBytes(suite, 2)...)
	body = append(body, 0)
	return handshakeMessage(typeServerHello, append(body, vector(2, extensions)...))
}

func encryptedExtensions(alpn string, hasServerName bool) []byte {
	var block []byte
	if alpn != "" {
		block = extension(extALPN, vector(2, vector(1, []byte(alpn))))
	}
	if hasServerName {
		block = append(block, extension(extServerName, nil)...)
	}
	return handshakeMessage(typeEncryptedExtensions, vector(2, block))
}

func certificateMessage(chain [][]byte) []byte {
	var entries []byte
	for _, each := range chain {
		entries = append(entries, vector(3, each)...)
		entries = append(entries, 0, 0)
	}
	return handshakeMessage(typeCertificate, append([]byte{0}, vector(3, entries)...))
}

func certificateVerify(scheme int, signature []byte) []byte {
	return handshakeMessage(typeCertificateVerify, append(uintBytes(scheme, 2), vector(2, signature)...))
}

// CertificateVerifyContent is what a server signs (RFC 8446 4.4.3).
func CertificateVerifyContent(transcriptHash []byte) []byte {
	content := bytes.Repeat([]byte{' '}, 64)
	content = append(content, "TLS 1.3, server CertificateVerify\x00"...)
	return append(content, transcriptHash...)
}
