package portal

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	leastRenewal     = time.Second
	giveBackDeadline = 5 * time.Second
)

// LeaseRequest is what to ask a relay for.
type LeaseRequest struct {
	// Name is one DNS label.
	Name string

	// TTL is that of the lease; the relay's own choice, if it is 0.
	TTL time.Duration

	Metadata *Metadata

	// TCP also asks for a public TCP port.
	TCP bool
}

// Register signs in and takes a name.
func (c *Client) Register(ctx context.Context, account *Account, wish LeaseRequest) (*Lease, error) {
	body := RegisterChallengeRequest{Identity: IdentityInput{Name: wish.Name, Address: account.Address}, Metadata: wish.Metadata}
	if wish.TTL > 0 {
		seconds := int64(wish.TTL / time.Second)
		body.TTL = &seconds
	}
	if wish.TCP {
		body.TCPEnabled = &wish.TCP
	}
	challenge, err := c.CreateRegisterChallenge(ctx, body)
	if err != nil {
		return nil, err
	}
	message := challenge.SIWEMessage
	if err := checkSignInMessage(message, c.relay, account.Address, challenge.ChallengeID, "/sdk/register", time.Now()); err != nil {
		return nil, err
	}
	return c.RegisterLease(ctx, RegisterRequest{
		ChallengeID: challenge.ChallengeID, SIWEMessage: message, SIWESignature: account.Sign(message),
	})
}

// leaseKeeper registers, renews at half of what is left, and registers again when the lease is gone.
type leaseKeeper struct {
	client  *Client
	account *Account
	wish    LeaseRequest
	log     *slog.Logger

	// learn is called with each new lease before it counts, and at each renewal: the certificate chain may have changed.
	learn func(ctx context.Context) error

	gone chan error

	mutex     sync.Mutex
	lease     *Lease
	token     string
	hasServed bool

	// isRefused: a token was refused, and none was accepted since.
	isRefused bool
	granted   chan struct{}
}

func newLeaseKeeper(client *Client, account *Account, wish LeaseRequest, log *slog.Logger, learn func(context.Context) error) *leaseKeeper {
	return &leaseKeeper{
		client: client, account: account, wish: wish, log: log, learn: learn,
		gone: make(chan error, 1), granted: make(chan struct{}),
	}
}

// current returns the lease and its newest token, once there is one.
func (k *leaseKeeper) current(ctx context.Context) (*Lease, string, error) {
	for {
		k.mutex.Lock()
		lease, token, granted := k.lease, k.token, k.granted
		k.mutex.Unlock()
		if token != "" {
			return lease, token, nil
		}
		select {
		case <-granted:
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
}

func (k *leaseKeeper) served() bool {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return k.hasServed
}

// grant takes a new lease or token.
func (k *leaseKeeper) grant(lease *Lease, token string) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if lease != nil {
		k.lease = lease
	}
	if k.token == "" {
		close(k.granted)
	}
	k.token, k.hasServed = token, true
}

func (k *leaseKeeper) revoke() {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.token != "" {
		k.token, k.granted = "", make(chan struct{})
	}
}

// lose says that the relay has refused a token: the lease is registered again, unless there is a newer one already.
func (k *leaseKeeper) lose(token string, err error) {
	k.mutex.Lock()
	isCurrent := token == k.token
	k.mutex.Unlock()
	if isCurrent {
		select {
		case k.gone <- err:
		default:
		}
	}
}

// accepted says that the relay has taken a token.
func (k *leaseKeeper) accepted() {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.isRefused = false
}

// givesUp tells whether nothing helps against an error. A token is refused once, and not the next one as well.
func (k *leaseKeeper) givesUp(err error, during call) bool {
	what := decide(err, during, k.served())
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if what == stop || (what == registerOnce && k.isRefused) {
		return true
	}
	k.isRefused = what == registerOnce
	return false
}

// run ends with the error that nothing helps against, or with the context.
func (k *leaseKeeper) run(ctx context.Context) error {
	var retry backoff
	for {
		lease, err := k.client.Register(ctx, k.account, k.wish)
		if err == nil {
			err = k.learn(ctx)
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if k.givesUp(err, callRegister) {
				return err
			}
			delay := retry.after(err)
			k.log.Warn("not registered, trying again", "after", delay, "error", err)
			if err := sleep(ctx, delay); err != nil {
				return err
			}
			continue
		}
		select {
		case <-k.gone:
		default:
		}
		k.grant(lease, lease.AccessToken)
		err = k.renew(ctx, lease.ExpiresAt, &retry)
		k.revoke()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if k.givesUp(err, callRenew) {
			return err
		}
		k.log.Warn("the lease is gone, registering again", "error", err)
	}
}

// renew returns the error by which the lease is gone.
func (k *leaseKeeper) renew(ctx context.Context, expiresAt string, retry *backoff) error {
	left, err := k.left(expiresAt)
	if err != nil {
		return err
	}
	delay := left / 2
	for {
		select {
		case <-time.After(max(delay, leastRenewal)):
		case err := <-k.gone:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
		_, token, err := k.current(ctx)
		if err != nil {
			return err
		}
		renewal, err := k.client.RenewLease(ctx, token, RenewRequest{})
		if err == nil {
			expiresAt = renewal.ExpiresAt
			k.accepted()
			k.grant(nil, renewal.AccessToken)
			if left, err = k.left(expiresAt); err != nil {
				return err
			}
			delay = left / 2
			err = k.learn(ctx)
		}
		if err == nil {
			retry.reset()
			continue
		}
		left, leftErr := k.left(expiresAt)
		if leftErr != nil || left <= 0 || decide(err, callRenew, true) != tryAgain {
			return err
		}
		delay = min(retry.after(err), max(left, leastRenewal))
		k.log.Warn("not renewed, trying again", "after", delay, "error", err)
	}
}

// left is how long a lease lives, by the relay's clock.
func (k *leaseKeeper) left(expiresAt string) (time.Duration, error) {
	end, err := time.Parse(time.RFC3339Nano, expiresAt)
	if err != nil {
		return 0, &AnswerError{Message: "the relay gives a lease with an odd end"}
	}
	return end.Sub(k.client.Now()), nil
}

// giveBack unregisters, where there is a lease.
func (k *leaseKeeper) giveBack() {
	k.mutex.Lock()
	token := k.token
	k.mutex.Unlock()
	if token == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), giveBackDeadline)
	defer cancel()
	if _, err := k.client.UnregisterLease(ctx, token, UnregisterRequest{}); err != nil && !errors.Is(err, context.Canceled) {
		k.log.Debug("the name was not given back, and is kept until the lease ends", "error", err)
	}
}

func sleep(ctx context.Context, delay time.Duration) error {
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
