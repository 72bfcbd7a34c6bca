// Puts a service of this machine on a public name, until Ctrl-C: expose TARGET RELAY NAME [CA_FILE]
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	portal "portal.example/sdk"
)

func main() {
	if len(os.Args) < 4 {
		log.Fatal("usage: expose TARGET RELAY NAME [CA_FILE]")
	}
	account, err := portal.LoadAccount("identity.json")
	if err != nil {
		log.Fatal(err)
	}
	config := portal.Config{Relay: os.Args[2], Account: account, LeaseRequest: portal.LeaseRequest{Name: os.Args[3]}}
	if len(os.Args) > 4 {
		config.CAFile = os.Args[4]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	tunnel, err := portal.Expose(ctx, os.Args[1], config)
	if err != nil {
		log.Fatal(err)
	}
	context.AfterFunc(ctx, func() { tunnel.Close() })
	fmt.Println("serving at", tunnel.URL())
	log.Println(tunnel.Wait())
	tunnel.Close()
}
