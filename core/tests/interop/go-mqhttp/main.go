// Command go-mqhttp is mq-http-go-sdk v1.0.3 doing what a test tells it: it makes a call for every JSON line that it
// reads, and prints a JSON line with the answer.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	mq_http_sdk "github.com/aliyunmq/mq-http-go-sdk"
)

const usage = "usage: go-mqhttp ENDPOINT ACCESS-KEY SECRET-KEY [SECURITY-TOKEN]"

// run answers calls until the input ends.
func run(arguments []string) error {
	if len(arguments) < 3 || len(arguments) > 4 {
		return errors.New(usage)
	}
	token := ""
	if len(arguments) == 4 {
		token = arguments[3]
	}
	client := mq_http_sdk.NewAliyunMQClient(arguments[0], arguments[1], arguments[2], token)
	calls, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var c call
		if err := calls.Decode(&c); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := answers.Encode(c.make(client)); err != nil {
			return err
		}
	}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
