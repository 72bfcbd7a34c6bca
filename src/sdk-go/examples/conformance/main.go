// Runs this SDK for `portal conformance`: a task on standard input, events on standard output (docs/conformance.md).
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"os"

	portal "portal.example/sdk"
)

func tell(event map[string]string) { _ = json.NewEncoder(os.Stdout).Encode(event) }

func main() {
	slog.SetLogLoggerLevel(slog.LevelDebug)
	input := bufio.NewReader(os.Stdin)
	var task struct {
		Relay      string `json:"relay"`
		CAFile     string `json:"ca_file"`
		Name       string `json:"name"`
		PrivateKey string `json:"private_key"`
		Target     string `json:"target"`
	}
	line, err := input.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &task) != nil {
		log.Fatal("no task")
	}
	key, err := hex.DecodeString(task.PrivateKey[2:])
	if err != nil {
		log.Fatal(err)
	}
	account, err := portal.AccountFromKey(key)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, input)
		stop()
	}()
	tunnel, err := portal.Expose(ctx, task.Target, portal.Config{
		Relay: task.Relay, CAFile: task.CAFile, Account: account, LeaseRequest: portal.LeaseRequest{Name: task.Name},
	})
	if err == nil {
		tell(map[string]string{"event": "serving"})
		context.AfterFunc(ctx, func() { tunnel.Close() })
		err = tunnel.Wait()
		tunnel.Close()
	}
	if err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) {
		return
	}
	reason := err.Error()
	var refusal *portal.APIError
	if errors.As(err, &refusal) {
		reason = string(refusal.Code)
	}
	tell(map[string]string{"event": "stopped", "reason": reason})
}
