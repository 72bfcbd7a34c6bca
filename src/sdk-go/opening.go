package portal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
)

// Markers (docs/protocol.md, What the relay writes first).
const (
	markerKeepalive = 0
	markerRawTCP    = 1
	markerTenantTLS = 2
)

const (
	bindingLength = 16
	maxProxyBody  = 536
)

var proxySignature = []byte("\r\n\r\n\x00\r\nQUIT\n")

// opening is what a relay writes before a visitor's own bytes.
type opening struct {
	marker byte

	// binding is a secret of this connection, for signHandshake. Never log it.
	binding []byte

	// visitor is nil where it was not asked for, or the relay cannot tell.
	visitor net.Addr
}

// readOpening reads what follows a marker.
func readOpening(r io.Reader, marker byte, hasBinding, hasProxy bool) (opening, error) {
	o := opening{marker: marker}
	if marker != markerRawTCP && marker != markerTenantTLS {
		return o, fmt.Errorf("the relay starts a session with the byte %d", marker)
	}
	if hasBinding && marker == markerTenantTLS {
		o.binding = make([]byte, bindingLength)
		if _, err := io.ReadFull(r, o.binding); err != nil {
			return o, err
		}
	}
	var err error
	if hasProxy {
		o.visitor, err = readProxyHeader(r)
	}
	return o, err
}

// readProxyHeader reads the PROXY protocol, version 2: the source's address.
func readProxyHeader(r io.Reader) (net.Addr, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(head[14:]))
	if !bytes.Equal(head[:12], proxySignature) || (head[12] != 0x20 && head[12] != 0x21) || length > maxProxyBody {
		return nil, fmt.Errorf("the relay writes a PROXY header that is not valid")
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	// LOCAL: the relay cannot tell.
	if head[12] == 0x20 {
		return nil, nil
	}
	size := map[byte]int{0x11: 4, 0x21: 16}[head[13]]
	if size == 0 || length < 2*size+4 {
		return nil, fmt.Errorf("the relay writes a PROXY header that is not of TCP over IPv4 or IPv6")
	}
	ip, _ := netip.AddrFromSlice(body[:size])
	port := binary.BigEndian.Uint16(body[2*size:])
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, port)), nil
}
