package portal

import (
	"errors"
	"math/rand/v2"
	"time"
)

// decision is what a tunnel does about a failure.
type decision int

const (
	// stop: nothing helps, or another try would harm another process.
	stop decision = iota

	// registerAgain: the lease is gone.
	registerAgain

	// registerOnce: the token is refused; stop if the next one is, too.
	registerOnce

	// tryAgain: the same may succeed later.
	tryAgain
)

type call int

const (
	callRegister call = iota
	callRenew
	callConnect
)

// decide: hasServed is whether this relay has granted a lease before; what is fatal at the start may pass later.
func decide(err error, during call, hasServed bool) decision {
	var refusal *APIError
	var network *NetworkError
	var answer *AnswerError
	switch {
	case errors.As(err, &refusal):
		return decideByCode(refusal, during)
	case errors.As(err, &network):
		if network.Reason == Certificate && !hasServed {
			return stop
		}
		return tryAgain
	case errors.As(err, &answer):
		if hasServed || answer.Status == 429 || answer.Status >= 500 {
			return tryAgain
		}
	}
	return stop
}

func decideByCode(err *APIError, during call) decision {
	waits := func(condition bool) decision {
		if condition {
			return tryAgain
		}
		return stop
	}
	switch err.Code {
	case CodeLeaseNotFound:
		return registerAgain
	case CodeUnauthorized:
		return registerOnce
	case CodeLeaseRejected:
		// While a lease awaits approval its connections are refused, and nothing else.
		return waits(during == callConnect)
	case CodeHostnameConflict:
		// Without a token the name is taken, for good unless the relay says when to ask again; with one, taken over.
		return waits(during == callRegister && err.RetryAfter > 0)
	}
	return waits(err.Retry() == RetryAfterDelay || err.Retry() == RetryNewConnection)
}

// backoff goes from one second, doubled, up to a minute, with jitter.
type backoff struct{ next time.Duration }

func (b *backoff) reset() { b.next = 0 }

// after is how long to wait now: as long as the relay asks for at least.
func (b *backoff) after(err error) time.Duration {
	b.next = max(b.next, time.Second)
	delay := b.next/2 + rand.N(b.next/2)
	b.next = min(2*b.next, time.Minute)
	var refusal *APIError
	if errors.As(err, &refusal) {
		delay = max(delay, refusal.RetryAfter)
	}
	return delay
}
