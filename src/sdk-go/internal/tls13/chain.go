package tls13

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

const maxCertificates = 10

// SchemeNames are IANA's names of signature schemes (RFC 8446 4.2.3).
var SchemeNames = map[int]string{
	0x0403: "ecdsa_secp256r1_sha256",
	0x0503: "ecdsa_secp384r1_sha384",
	0x0603: "ecdsa_secp521r1_sha512",
	0x0804: "rsa_pss_rsae_sha256",
	0x0805: "rsa_pss_rsae_sha384",
	0x0806: "rsa_pss_rsae_sha512",
	0x0807: "ed25519",
}

// Chain is a certificate chain.
type Chain struct {
	// Certificates are in DER, the leaf first.
	Certificates [][]byte

	// Schemes fit the leaf's key, the most preferred first.
	Schemes []int
}

// ParseChain reads a chain in PEM.
func ParseChain(text []byte) (*Chain, error) {
	chain := &Chain{}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			chain.Certificates = append(chain.Certificates, block.Bytes)
		}
		if len(chain.Certificates) > maxCertificates {
			return nil, errors.New("too many certificates")
		}
	}
	if len(chain.Certificates) == 0 {
		return nil, errors.New("no certificate")
	}
	leaf, err := x509.ParseCertificate(chain.Certificates[0])
	if err != nil {
		return nil, err
	}
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		chain.Schemes = []int{0x0804, 0x0805, 0x0806}
	case ed25519.PublicKey:
		chain.Schemes = []int{0x0807}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			chain.Schemes = []int{0x0403}
		case elliptic.P384():
			chain.Schemes = []int{0x0503}
		case elliptic.P521():
			chain.Schemes = []int{0x0603}
		}
	}
	if len(chain.Schemes) == 0 {
		return nil, errors.New("TLS 1.3 cannot use this key")
	}
	return chain, nil
}
