package tls13

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// maxRecordsPerKey is fewer than AES-GCM takes with one key (RFC 8446 5.5).
const maxRecordsPerKey = 1 << 24

type cipherSuite struct {
	number    int
	hash      func() hash.Hash
	keyLength int
	aead      func(key []byte) (cipher.AEAD, error)
}

func aesGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

const chacha20Suite = 0x1303

// Most preferred first.
var cipherSuites = []*cipherSuite{
	{0x1301, sha256.New, 16, aesGCM},
	{0x1302, sha512.New384, 32, aesGCM},
	{chacha20Suite, sha256.New, 32, chacha20poly1305.New},
}

const (
	groupP256           = 0x0017
	groupX25519         = 0x001d
	groupX25519MLKEM768 = 0x11ec
)

// Most preferred first. The hybrid one is not worth another round trip.
var (
	groups        = []int{groupX25519MLKEM768, groupX25519, groupP256}
	groupsToAskOf = []int{groupX25519, groupP256}
)

var errShare = fault(alertIllegalParameter, "the client's key share is not valid")

// agree returns the server's share and the shared secret.
func agree(group int, share []byte) (own, secret []byte, err error) {
	switch group {
	case groupX25519:
		return agreeOnCurve(ecdh.X25519(), share)
	case groupP256:
		return agreeOnCurve(ecdh.P256(), share)
	case groupX25519MLKEM768:
		if len(share) != mlkem.EncapsulationKeySize768+32 {
			return nil, nil, errShare
		}
		key, err := mlkem.NewEncapsulationKey768(share[:mlkem.EncapsulationKeySize768])
		if err != nil {
			return nil, nil, errShare
		}
		hybrid, ciphertext := key.Encapsulate()
		own, secret, err := agreeOnCurve(ecdh.X25519(), share[mlkem.EncapsulationKeySize768:])
		return append(ciphertext, own...), append(hybrid, secret...), err
	}
	return nil, nil, errShare
}

func agreeOnCurve(curve ecdh.Curve, share []byte) (own, secret []byte, err error) {
	peer, err := curve.NewPublicKey(share)
	if err != nil {
		return nil, nil, errShare
	}
	private, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if secret, err = private.ECDH(peer); err != nil {
		return nil, nil, errShare
	}
	return private.PublicKey().Bytes(), secret, nil
}

// secret is one of the key schedule (RFC 8446 7.1).
type secret struct {
	suite *cipherSuite
	value []byte
}

// expand is HKDF-Expand-Label.
func (s secret) expand(label string, context []byte, length int) []byte {
	info := uintBytes(length, 2)
	info = append(info, vector(1, []byte("tls13 "+label))...)
	info = append(info, vector(1, context)...)
	out, err := hkdf.Expand(s.suite.hash, s.value, string(info), length)
	if err != nil {
		// Only for lengths that are not asked for here.
		panic(err)
	}
	return out
}

// derive is Derive-Secret, for a transcript that is hashed already.
func (s secret) derive(label string, transcriptHash []byte) secret {
	return secret{s.suite, s.expand(label, transcriptHash, s.suite.hash().Size())}
}

// extract is HKDF-Extract with this as the salt.
func (s secret) extract(material []byte) secret { return secret{s.suite, s.mac(s.value, material)} }

// finished is the content of a Finished message (RFC 8446 4.4.4).
func (s secret) finished(transcriptHash []byte) []byte {
	return s.mac(s.expand("finished", nil, s.suite.hash().Size()), transcriptHash)
}

func (s secret) mac(key, data []byte) []byte {
	mac := hmac.New(s.suite.hash, key)
	mac.Write(data)
	return mac.Sum(nil)
}

func handshakeSecret(suite *cipherSuite, shared []byte) secret {
	zeros := make([]byte, suite.hash().Size())
	early := secret{suite, zeros}.extract(zeros)
	return early.derive("derived", digest(suite)).extract(shared)
}

func masterSecret(handshake secret) secret {
	suite := handshake.suite
	return handshake.derive("derived", digest(suite)).extract(make([]byte, suite.hash().Size()))
}

func digest(suite *cipherSuite, parts ...[]byte) []byte {
	hash := suite.hash()
	for _, part := range parts {
		hash.Write(part)
	}
	return hash.Sum(nil)
}

// protection encrypts or decrypts the records of one direction (RFC 8446 5.2, 5.3).
type protection struct {
	secret secret
	aead   cipher.AEAD
	iv     []byte
	count  uint64
}

func protect(s secret) *protection {
	aead, err := s.suite.aead(s.expand("key", nil, s.suite.keyLength))
	if err != nil {
		// Only for keys of another length.
		panic(err)
	}
	return &protection{secret: s, aead: aead, iv: s.expand("iv", nil, 12)}
}

func (p *protection) nonce() []byte {
	nonce := make([]byte, 12)
	binary.BigEndian.PutUint64(nonce[4:], p.count)
	for at := range nonce {
		nonce[at] ^= p.iv[at]
	}
	return nonce
}

// update goes to the next key (RFC 8446 7.2).
func (p *protection) update() {
	suite := p.secret.suite
	*p = *protect(secret{suite, p.secret.expand("traffic upd", nil, suite.hash().Size())})
}

// seal appends a record with its header.
func (p *protection) seal(to []byte, kind byte, content []byte) []byte {
	header := append([]byte{recordApplicationData, 3, 3}, uintBytes(len(content)+1+p.aead.Overhead(), 2)...)
	inner := append(append(make([]byte, 0, len(content)+1), content...), kind)
	to = p.aead.Seal(append(to, header...), p.nonce(), inner, header)
	p.count++
	return to
}

var errRecordMAC = fault(alertBadRecordMAC, "a record does not authenticate")

// open decrypts a record in place.
func (p *protection) open(header, body []byte) (kind byte, content []byte, err error) {
	content, err = p.aead.Open(body[:0], p.nonce(), body, header)
	if err != nil {
		return 0, nil, errRecordMAC
	}
	p.count++
	end := len(content)
	for end > 0 && content[end-1] == 0 {
		end--
	}
	if end == 0 {
		return 0, nil, fault(alertUnexpectedMessage, "a record without a type")
	}
	return content[end-1], content[:end-1], nil
}

var errClosed = errors.New("tls: the connection is closed")
