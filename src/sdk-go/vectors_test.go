package portal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"portal.example/sdk/internal/tls13"
)

// sink is a connection that only takes, over bytes that have come.
type sink struct {
	net.Conn
	written bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error)       { return s.written.Write(p) }
func (s *sink) SetDeadline(time.Time) error       { return nil }
func (s *sink) SetReadDeadline(t time.Time) error { return nil }

// visited is a recycled session whose visitor sends this.
func visited(t *testing.T, data []byte, signs bool) (*stream, *sink) {
	t.Helper()
	in := append(append([]byte{markerTenantTLS}, make([]byte, 16)...), data...)
	out := &sink{}
	s := &session{conn: out, in: bufio.NewReader(bytes.NewReader(in)), recycles: true, signs: signs}
	visitor, err := s.wait()
	if err != nil {
		t.Fatal(err)
	}
	return visitor, out
}

func openingOf(t *testing.T, v vector) (opening, []byte, error) {
	asked := v["asked"].(map[string]any)
	in := bytes.NewReader(v.bytes(t, "hex"))
	for {
		marker, err := in.ReadByte()
		if err != nil {
			return opening{}, nil, err
		}
		if marker == markerKeepalive {
			continue
		}
		o, err := readOpening(in, marker, asked["binding"].(bool), asked["proxy"].(bool))
		rest, _ := io.ReadAll(in)
		return o, rest, err
	}
}

func sourceOf(v vector) string {
	addresses, ok := v["addresses"].(map[string]any)
	if !ok {
		return ""
	}
	source := addresses["source"].(map[string]any)
	return net.JoinHostPort(source["address"].(string), strconv.Itoa(int(source["port"].(float64))))
}

func visitorOf(o opening) string {
	if o.visitor == nil {
		return ""
	}
	return o.visitor.String()
}

func TestOpenings(t *testing.T) {
	vectors(t, "session-openings", "valid", func(t *testing.T, v vector) {
		o, rest, err := openingOf(t, v)
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(rest) != v.text("rest") || hex.EncodeToString(o.binding) != v.text("binding") {
			t.Errorf("binding %x, rest %x", o.binding, rest)
		}
		if (o.marker == markerRawTCP) != (v.text("kind") == "raw_tcp") {
			t.Errorf("marker %d", o.marker)
		}
		if visitorOf(o) != sourceOf(v) {
			t.Errorf("visitor %s, not %s", visitorOf(o), sourceOf(v))
		}
	})
	for _, kind := range []string{"incomplete", "invalid"} {
		vectors(t, "session-openings", kind, func(t *testing.T, v vector) {
			if _, _, err := openingOf(t, v); err == nil {
				t.Error("it is read")
			}
		})
	}
}

func TestProxyHeaders(t *testing.T) {
	vectors(t, "proxy-headers", "valid", func(t *testing.T, v vector) {
		data := v.bytes(t, "hex")
		in := bytes.NewReader(data)
		o, err := readOpening(in, markerRawTCP, false, true)
		if err != nil || visitorOf(o) != sourceOf(v) || len(data)-in.Len() != int(v["length"].(float64)) {
			t.Errorf("visitor %s, %d bytes left, %v", visitorOf(o), in.Len(), err)
		}
	})
	for _, kind := range []string{"incomplete", "invalid"} {
		vectors(t, "proxy-headers", kind, func(t *testing.T, v vector) {
			if _, err := readOpening(bytes.NewReader(v.bytes(t, "hex")), markerRawTCP, false, true); err == nil {
				t.Error("it is read")
			}
		})
	}
}

func TestFrames(t *testing.T) {
	vectors(t, "frames", "valid", func(t *testing.T, v vector) {
		visitor, out := visited(t, v.bytes(t, "hex"), false)
		var data, wanted string
		var end any
		for _, event := range v["events"].([]any) {
			if part, ok := event.(map[string]any); ok {
				wanted += part["data"].(string)
			} else {
				end = event
			}
		}
		read, err := io.ReadAll(visitor)
		data = hex.EncodeToString(read)
		if data != wanted {
			t.Errorf("data %s, not %s", data, wanted)
		}
		switch end {
		case "end", "last":
			if err != nil || visitor.isLast != (end == "last") {
				t.Errorf("error %v", err)
			}
		case "cut":
			if err != errCut || out.written.String() != "\xff\xff\xff\xff" {
				t.Errorf("error %v, written %x: who receives a cut, cuts", err, out.written.Bytes())
			}
		default:
			if err != io.ErrUnexpectedEOF {
				t.Errorf("error %v", err)
			}
		}
		visitor.end()
		if visitor.finish() != (end == "end" || end == "cut") {
			t.Errorf("reusable: %v", end)
		}
		rest, _ := io.ReadAll(visitor.in)
		if hex.EncodeToString(rest) != v.text("unread") && end != nil {
			t.Errorf("left %x", rest)
		}
	})
	vectors(t, "frames", "invalid", func(t *testing.T, v vector) {
		visitor, _ := visited(t, v.bytes(t, "hex"), false)
		if _, err := io.ReadAll(visitor); err != errProtocol || visitor.finish() {
			t.Errorf("error %v", err)
		}
	})
}

func TestSigningMessages(t *testing.T) {
	vectors(t, "signing-messages", "requests", func(t *testing.T, v vector) {
		visitor, out := visited(t, nil, true)
		_, _ = visitor.sign(int(v.bytes(t, "scheme")[0])<<8|int(v.bytes(t, "scheme")[1]), v.bytes(t, "transcript"))
		if hex.EncodeToString(out.written.Bytes()) != v.text("hex") {
			t.Errorf("written %x", out.written.Bytes())
		}
	})
	vectors(t, "signing-messages", "responses", func(t *testing.T, v vector) {
		visitor, _ := visited(t, v.bytes(t, "hex"), true)
		signature, err := visitor.sign(0x0403, nil)
		if v["status"].(float64) == 200 {
			if err != nil || hex.EncodeToString(signature) != v.text("body") {
				t.Errorf("signature %x, %v", signature, err)
			}
		} else if !HasCode(err, CodeInvalidRequest) {
			t.Errorf("error %v", err)
		}
	})
	vectors(t, "signing-messages", "invalid", func(t *testing.T, v vector) {
		visitor, _ := visited(t, v.bytes(t, "hex"), true)
		if _, err := visitor.sign(0x0403, nil); err != errProtocol || visitor.finish() {
			t.Errorf("error %v", err)
		}
	})
}

func TestNothingButASignInIsSigned(t *testing.T) {
	file := vectorFile(t, "sign-in-messages")
	field := func(name string) string {
		var text string
		if err := json.Unmarshal(file[name], &text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	relay, _ := url.Parse(field("relay"))
	now, err := time.Parse(time.RFC3339, field("now"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(v vector) error {
		return checkSignInMessage(v.text("message"), relay, field("address"), field("challenge_id"), field("path"), now)
	}
	vectors(t, "sign-in-messages", "valid", func(t *testing.T, v vector) {
		if err := check(v); err != nil {
			t.Error(err)
		}
	})
	vectors(t, "sign-in-messages", "invalid", func(t *testing.T, v vector) {
		if check(v) == nil {
			t.Error("it is signed")
		}
	})
}

func TestWhatIsSignedIsMadeOfTheTranscript(t *testing.T) {
	vectors(t, "transcripts", "valid", func(t *testing.T, v vector) {
		hash := sha256.Sum256(v.bytes(t, "transcript"))
		if hex.EncodeToString(tls13.CertificateVerifyContent(hash[:])) != v.text("content") {
			t.Error("another content")
		}
	})
}

func TestAccountsSignAsWalletsDo(t *testing.T) {
	key, _ := hex.DecodeString("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	account, err := AccountFromKey(key)
	if err != nil || account.Address != "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266" {
		t.Fatalf("account %v, %v", account, err)
	}
	for _, bad := range [][]byte{nil, make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), key[1:]} {
		if _, err := AccountFromKey(bad); err == nil {
			t.Errorf("%x is a key", bad)
		}
	}
	if signature := account.Sign("hello"); len(signature) != 132 || !slices.Contains([]string{"1b", "1c"}, signature[130:]) {
		t.Errorf("signature %s", signature)
	}
}
