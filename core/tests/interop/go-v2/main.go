// Command go-v2 is rocketmq-client-go v2.1.2 doing what a test tells it: it sends or receives, and prints a JSON line
// for every message.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

const usage = `usage: go-v2 send    [flags] ADDRESS TOPIC
       go-v2 receive [flags] ADDRESS TOPIC
       go-v2 bench   ADDRESS SECONDS`

// A peer is what both commands know of the server.
type peer struct {
	address   string
	topic     string
	accessKey string
	secretKey string
}

func (p peer) nameServers() primitive.NsResolver {
	return primitive.NewPassthroughResolver([]string{p.address})
}

func (p peer) credentials() primitive.Credentials {
	return primitive.Credentials{AccessKey: p.accessKey, SecretKey: p.secretKey}
}

func (p *peer) flags(flags *flag.FlagSet) {
	flags.StringVar(&p.accessKey, "access-key", "", "sign requests with this key")
	flags.StringVar(&p.secretKey, "secret-key", "", "and this secret")
}

func (p *peer) parse(flags *flag.FlagSet, arguments []string) error {
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return fmt.Errorf("%s", usage)
	}
	p.address, p.topic = flags.Arg(0), flags.Arg(1)
	return nil
}

var output sync.Mutex

// line prints one JSON line, whole.
func line(value any) {
	output.Lock()
	defer output.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("%s", usage)
	}
	switch arguments[0] {
	case "send":
		return send(arguments[1:])
	case "receive":
		return receive(arguments[1:])
	case "bench":
		return bench(arguments[1:])
	default:
		return fmt.Errorf("%s", usage)
	}
}

func main() {
	rlog.SetLogLevel("fatal")
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
