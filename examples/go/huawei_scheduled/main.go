// The scheduled message of the Huawei Cloud DMS documents for Go. Only the prefix of the imports differs from there; the
// metadata address of the instance is the first argument.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	rocketmq "github.com/tminus-mq/tminus/go/rocketmq"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
	"github.com/tminus-mq/tminus/go/rocketmq/producer"
)

func main() {
	address := "192.168.0.1:8100"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	p, err := rocketmq.NewProducer(
		producer.WithNsResolver(primitive.NewPassthroughResolver([]string{address})),
		producer.WithRetry(2),
		producer.WithTls(os.Getenv("ROCKETMQ_TLS") == "true"),
	)
	if err != nil {
		fmt.Printf("new producer error: %s\n", err)
		os.Exit(1)
	}
	if err := p.Start(); err != nil {
		fmt.Printf("start producer error: %s\n", err)
		os.Exit(1)
	}
	msg := primitive.NewMessage("test", []byte("Hello RocketMQ Go Client!"))
	// Three seconds from now, in Unix milliseconds.
	msg.WithProperty("__STARTDELIVERTIME", strconv.FormatInt(time.Now().UnixMilli()+3000, 10))
	res, err := p.SendSync(context.Background(), msg)
	if err != nil {
		fmt.Printf("send message error: %s\n", err)
		os.Exit(1)
	}
	fmt.Printf("send message success: result=%s\n", res.String())
	if err := p.Shutdown(); err != nil {
		fmt.Printf("shutdown producer error: %s\n", err)
		os.Exit(1)
	}
}
