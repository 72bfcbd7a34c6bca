package portal

import (
	"errors"
	"fmt"
	"time"
)

// Retry says whether a request may succeed later.
type Retry string

// The values of Retry.
const (
	// RetryNever: the same request fails again.
	RetryNever Retry = "never"

	// RetryAfterDelay: the same request may succeed later.
	RetryAfterDelay Retry = "after_delay"

	// RetryReauthenticate: the credential no longer serves. Get a new one, once, then repeat.
	RetryReauthenticate Retry = "reauthenticate"

	// RetryNewConnection: repeat once on a new connection.
	RetryNewConnection Retry = "new_connection"
)

// APIError is a refusal, as the contract says the relay may give it.
type APIError struct {
	// Code may be one that is newer than this package.
	Code ErrorCode

	Message string

	// Status is the one of HTTP.
	Status int

	// RetryAfter is from the header, or else from the catalogue; 0 where neither names a time.
	RetryAfter time.Duration
}

func (e *APIError) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// Retry says whether and how to try again. A code that is not known is treated by its status.
func (e *APIError) Retry() Retry {
	if entry, ok := Catalogue[e.Code]; ok {
		return entry.Retry
	}
	if e.Status == 429 || e.Status >= 500 {
		return RetryAfterDelay
	}
	return RetryNever
}

// HasCode tells whether an error is a relay's refusal with one of these codes.
func HasCode(err error, codes ...ErrorCode) bool {
	var refusal *APIError
	if !errors.As(err, &refusal) {
		return false
	}
	for _, code := range codes {
		if refusal.Code == code {
			return true
		}
	}
	return false
}

// NetworkFailure is why there was no answer.
type NetworkFailure string

// The values of NetworkFailure.
const (
	Timeout     NetworkFailure = "timeout"
	Unreachable NetworkFailure = "unreachable"

	// Certificate: whoever answers has one that cannot be trusted.
	Certificate NetworkFailure = "certificate"

	// Clock: this machine's differs too much from the relay's for anything to be verified.
	Clock NetworkFailure = "clock"
)

// NetworkError means that there was no answer, not in time, or from somebody who cannot be trusted.
type NetworkError struct {
	Reason  NetworkFailure
	Message string
	Err     error
}

func (e *NetworkError) Error() string { return e.Message }

func (e *NetworkError) Unwrap() error { return e.Err }

// AnswerError means that the answer is none of the contract: no envelope, too large, a redirect.
type AnswerError struct {
	Message string

	// Status is the one of HTTP; 0 without an answer.
	Status int
}

func (e *AnswerError) Error() string { return e.Message }

// SigningRefusedError means that the relay wanted something signed that is no sign-in to it. Nothing was signed.
type SigningRefusedError struct{ Message string }

func (e *SigningRefusedError) Error() string { return e.Message }

// UsageError is the caller's own mistake.
type UsageError struct{ Message string }

func (e *UsageError) Error() string { return e.Message }

func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }
