package portal

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// maxSignInLifetime is the longest that is signed. Relays use two minutes; the rest is for clocks that are off.
const maxSignInLifetime = 10 * time.Minute

const signInEnding = " wants you to sign in with your Ethereum account:"

var nonceForm = regexp.MustCompile(`^[A-Za-z0-9]{8,128}$`)

// checkSignInMessage refuses every EIP-4361 message but the sign-in that was asked for. Otherwise a relay could pass on
// another relay's challenge and take its tenant's name there.
//
// Nonce and times are taken from the message. It is written anew from these and from what the caller knows, and must be
// equal, byte for byte.
func checkSignInMessage(text string, relay *url.URL, address, challengeID, path string, now time.Time) error {
	refuse := func(format string, args ...any) error {
		found := printable(fmt.Sprintf(format, args...), 200)
		return &SigningRefusedError{"not signed: the relay's sign-in message has " + found}
	}
	lines := strings.Split(text, "\n")
	field := func(name string) string {
		for _, line := range lines {
			if value, ok := strings.CutPrefix(line, name+": "); ok {
				return value
			}
		}
		return ""
	}
	domain, isSignIn := strings.CutSuffix(lines[0], signInEnding)
	if !isSignIn {
		return &SigningRefusedError{"not signed: the relay wants something signed that is not a sign-in message"}
	}
	if domain != relay.Host {
		return refuse("domain %s, not %s", domain, relay.Host)
	}
	uri := relay.String() + path
	if field("URI") != uri {
		return refuse("URI %s, not %s", field("URI"), uri)
	}
	nonce := field("Nonce")
	if !nonceForm.MatchString(nonce) {
		return refuse("an odd nonce")
	}
	issued, issuedErr := time.Parse(time.RFC3339Nano, field("Issued At"))
	expires, expiresErr := time.Parse(time.RFC3339Nano, field("Expiration Time"))
	if issuedErr != nil || expiresErr != nil || !expires.After(issued) {
		return refuse("no time of issue and expiry")
	}
	if expires.After(issued.Add(maxSignInLifetime)) {
		return refuse("an expiry that is far off")
	}
	whole := strings.Join([]string{
		relay.Host + signInEnding,
		address,
		"",
		"",
		"URI: " + uri,
		"Version: 1",
		"Chain ID: 1",
		"Nonce: " + nonce,
		"Issued At: " + field("Issued At"),
		"Expiration Time: " + field("Expiration Time"),
		"Request ID: " + challengeID,
	}, "\n")
	if text != whole {
		return refuse("other fields than those of a sign-in to this relay by this address")
	}
	if !expires.After(now) || issued.After(now.Add(maxSignInLifetime)) {
		message := fmt.Sprintf("the clock of this machine is %v off that of %s: set the clock", now.Sub(issued).Round(time.Second), relay.Host)
		return &NetworkError{Reason: Clock, Message: message}
	}
	return nil
}
