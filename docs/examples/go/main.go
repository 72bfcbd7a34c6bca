// Leases a name with the client that oapi-codegen makes of the contract, renews the lease and gives it back.
//
// Usage: SSL_CERT_FILE=CA_FILE lease RELAY_URL NAME
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strings"

	"example.com/lease/portal"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"
)

func keccak(data []byte) []byte {
	hash := sha3.NewLegacyKeccak256()
	hash.Write(data)
	return hash.Sum(nil)
}

func main() {
	relay, name, ctx := os.Args[1], os.Args[2], context.Background()
	client, err := portal.NewClientWithResponses(relay)
	check(err == nil, err)
	key, err := secp256k1.GeneratePrivateKey()
	check(err == nil, err)
	address := "0x" + hex.EncodeToString(keccak(key.PubKey().SerializeUncompressed()[1:])[12:])

	identity := portal.IdentityInput{Name: name, Address: address}
	asked, err := client.CreateRegisterChallengeWithResponse(ctx, portal.RegisterChallengeRequest{Identity: identity})
	check(err == nil && asked.JSON201 != nil, err, asked)
	id, message := asked.JSON201.Data.ChallengeId, asked.JSON201.Data.SiweMessage
	// What must be checked before it is signed is in docs/vectors/sign-in-messages.json; here the least of it.
	host := strings.TrimPrefix(relay, "https://")
	check(strings.HasPrefix(message, host+" wants you to sign in"), "not signed: for another relay")
	// personal_sign (EIP-191): r, s and v.
	text := fmt.Sprintf("\x19Ethereum Signed Message:\n%d%s", len(message), message)
	compact := ecdsa.SignCompact(key, keccak([]byte(text)), false)
	signature := "0x" + hex.EncodeToString(append(compact[1:], compact[0]))
	request := portal.RegisterRequest{ChallengeId: id, SiweMessage: message, SiweSignature: signature}
	registered, err := client.RegisterLeaseWithResponse(ctx, request)
	check(err == nil && registered.JSON201 != nil, err, registered)
	lease := registered.JSON201.Data
	fmt.Println("leased", lease.Hostname, "until", lease.ExpiresAt)
	renewed, err := client.RenewLeaseWithResponse(ctx, portal.RenewRequest{AccessToken: &lease.AccessToken})
	check(err == nil && renewed.JSON200 != nil, err, renewed)
	fmt.Println("renewed until", renewed.JSON200.Data.ExpiresAt)
	token := &renewed.JSON200.Data.AccessToken
	gone, err := client.UnregisterLeaseWithResponse(ctx, portal.UnregisterRequest{AccessToken: token})
	check(err == nil && gone.JSON200 != nil, err, gone)
	fmt.Println("given back")
	refused, err := client.RenewLeaseWithResponse(ctx, portal.RenewRequest{AccessToken: token})
	check(err == nil && refused.JSON404 != nil, err, refused)
	fmt.Println("renewed once more:", refused.JSON404.Error.Code)
}

func check(isFine bool, why ...any) {
	if !isFine {
		log.Fatalln(why...)
	}
}
