// Sends one message that is delivered later: delay_producer grpc://127.0.0.1:8081 delay 10.
//
// On a real server the topic must take delay messages: mqadmin updateTopic -t delay -a +message.type=DELAY ...
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
)

func main() {
	arguments := []string{"grpc://127.0.0.1:8081", "delay", "10"}
	copy(arguments, os.Args[1:])
	if err := send(context.Background(), arguments[0], arguments[1], arguments[2]); err != nil {
		fmt.Fprintln(os.Stderr, "not sent:", err)
		os.Exit(1)
	}
}

func send(ctx context.Context, endpoint, topic, seconds string) error {
	delay, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return err
	}
	producer, err := tminus.NewProducer(ctx, endpoint, &tminus.ProducerOptions{Topics: []string{topic}})
	if err != nil {
		return err
	}
	defer producer.Close(ctx)
	receipt, err := producer.Send(ctx, &tminus.Message{
		Topic: topic, Body: []byte("Hello from Go"), Tag: "greeting", Keys: []string{"order-42"},
		DeliverAt: time.Now().Add(time.Duration(delay * float64(time.Second))),
	})
	if err != nil {
		return err
	}
	fmt.Println(receipt.MessageID)
	return nil
}
