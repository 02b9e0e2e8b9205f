// Command go-v5 is rocketmq-clients/golang v5.1.4 doing what a test tells it: it sends or receives over gRPC, and
// prints a JSON line for every message.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"

	rocketmq "github.com/apache/rocketmq-clients/golang/v5"
	"github.com/apache/rocketmq-clients/golang/v5/credentials"
)

const usage = `usage: go-v5 send    [flags] ADDRESS TOPIC
       go-v5 receive [flags] ADDRESS TOPIC`

// A peer is what both commands know of the server.
type peer struct {
	address   string
	topic     string
	accessKey string
	secretKey string
}

func (p *peer) config(group string) *rocketmq.Config {
	return &rocketmq.Config{
		Endpoint:      p.address,
		ConsumerGroup: group,
		Credentials:   &credentials.SessionCredentials{AccessKey: p.accessKey, AccessSecret: p.secretKey},
	}
}

func (p *peer) flags(flags *flag.FlagSet) {
	flags.StringVar(&p.accessKey, "access-key", "nobody", "sign requests with this key; the client wants one always")
	flags.StringVar(&p.secretKey, "secret-key", "nothing", "and this secret")
	flags.BoolVar(&rocketmq.EnableSsl, "tls", false, "encrypt; the client verifies no certificate")
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

var (
	standardOutput = os.Stdout
	output         sync.Mutex
)

// line prints one JSON line, whole.
func line(value any) {
	output.Lock()
	defer output.Unlock()
	if err := json.NewEncoder(standardOutput).Encode(value); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// silence turns off the client's log, which is a file in the home directory or standard output and nothing else.
func silence() error {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	os.Stdout = null
	if err := os.Setenv(rocketmq.ENABLE_CONSOLE_APPENDER, "true"); err != nil {
		return err
	}
	rocketmq.ResetLogger()
	return nil
}

func run(arguments []string) error {
	if err := silence(); err != nil {
		return err
	}
	if len(arguments) == 0 {
		return fmt.Errorf("%s", usage)
	}
	switch arguments[0] {
	case "send":
		return send(arguments[1:])
	case "receive":
		return receive(arguments[1:])
	default:
		return fmt.Errorf("%s", usage)
	}
}

// main stops no client, but ends with the process: a push consumer that was polling takes 24 s to stop.
func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
