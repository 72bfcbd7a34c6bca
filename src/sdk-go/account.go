package portal

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"
)

const maxIdentityFileBytes = 4096

// Account is an Ethereum account: its address owns names at relays, and its signatures are how it proves that.
type Account struct {
	key *secp256k1.PrivateKey

	// Address has its EIP-55 checksum.
	Address string
}

// NewAccount returns one that nobody else has.
func NewAccount() (*Account, error) {
	key, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, err
	}
	return accountOf(key), nil
}

// AccountFromKey returns the account of a private key of 32 bytes.
func AccountFromKey(key []byte) (*Account, error) {
	var scalar secp256k1.ModNScalar
	if len(key) != 32 || scalar.SetByteSlice(key) || scalar.IsZero() {
		return nil, usage("not a private key of secp256k1")
	}
	return accountOf(secp256k1.NewPrivateKey(&scalar)), nil
}

func accountOf(key *secp256k1.PrivateKey) *Account {
	public := key.PubKey().SerializeUncompressed()[1:]
	return &Account{key, checksumAddress(hex.EncodeToString(keccak256(public)[12:]))}
}

// LoadAccount reads the account of an identity file, or creates both: {"address": "0x...", "private_key": "0x..."}, with mode
// 0600. `portal expose` keeps its own in the same form.
func LoadAccount(path string) (*Account, error) {
	account, err := readAccount(path)
	if errors.Is(err, os.ErrNotExist) {
		if err = createAccount(path); err == nil {
			account, err = readAccount(path)
		}
	}
	if err != nil {
		return nil, usage("identity file %s: %v", path, err)
	}
	return account, nil
}

type identityFile struct {
	Address    string `json:"address"`
	PrivateKey string `json:"private_key"`
}

func readAccount(path string) (*Account, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !status.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if runtime.GOOS != "windows" && status.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("readable by others: run chmod 600 %s", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxIdentityFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxIdentityFileBytes {
		return nil, errors.New("too large")
	}
	var fields identityFile
	if err := json.Unmarshal(text, &fields); err != nil || fields.Address == "" || fields.PrivateKey == "" {
		return nil, errors.New(`needs "address" and "private_key"`)
	}
	key, err := hex.DecodeString(strings.TrimPrefix(fields.PrivateKey, "0x"))
	if err != nil {
		return nil, errors.New("its key is not hexadecimal")
	}
	account, err := AccountFromKey(key)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(account.Address, fields.Address) {
		return nil, errors.New("its address is not that of its key")
	}
	return account, nil
}

// createAccount writes a file whole or not at all. If another process creates it first, its account stays.
func createAccount(path string) error {
	account, err := NewAccount()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(identityFile{account.Address, "0x" + hex.EncodeToString(account.key.Serialize())}, "", "  ")
	if err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	defer draft.Close()
	if _, err := draft.Write(append(text, '\n')); err != nil {
		return err
	}
	if err := draft.Sync(); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// Sign signs a text by personal_sign (EIP-191): r, s and v as hexadecimal digits.
func (a *Account) Sign(message string) string {
	text := fmt.Sprintf("\x19Ethereum Signed Message:\n%d%s", len(message), message)
	compact := ecdsa.SignCompact(a.key, keccak256([]byte(text)), false)
	return "0x" + hex.EncodeToString(append(compact[1:], compact[0]))
}

func keccak256(data []byte) []byte {
	hash := sha3.NewLegacyKeccak256()
	hash.Write(data)
	return hash.Sum(nil)
}

// checksumAddress writes 40 hexadecimal digits as EIP-55 has them.
func checksumAddress(digits string) string {
	digits = strings.ToLower(digits)
	hash := hex.EncodeToString(keccak256([]byte(digits)))
	mixed := []byte("0x" + digits)
	for at := range digits {
		if digits[at] >= 'a' && hash[at] >= '8' {
			mixed[at+2] -= 'a' - 'A'
		}
	}
	return string(mixed)
}
