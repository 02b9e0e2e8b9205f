// Messages in order over ApsaraMQ HTTP, by the documented calls: those of one sharding key are consumed in the order in which
// they were published.
//
//	mqhttp_orderly ENDPOINT [TOPIC [GROUP [INSTANCE_ID]]]
//
// The keys are those of ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET.
package main

import (
	"fmt"
	"os"
	"strconv"

	mq_http_sdk "github.com/tminus-mq/tminus/go/mqhttp"
)

const messages = 8

func main() {
	endpoint := argument(1, "http://127.0.0.1:8080")
	topic := argument(2, "orders")
	groupID := argument(3, "GID_orders")
	instanceID := argument(4, "")
	client := mq_http_sdk.NewAliyunMQClient(
		endpoint, os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"), os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"), "")
	if err := publish(client.GetProducer(instanceID, topic)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := consume(client.GetConsumer(instanceID, topic, groupID, "")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func publish(producer mq_http_sdk.MQProducer) error {
	for i := range messages {
		_, err := producer.PublishMessage(mq_http_sdk.PublishMessageRequest{
			MessageBody: strconv.Itoa(i),
			ShardingKey: "order-" + strconv.Itoa(i%2),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func consume(consumer mq_http_sdk.MQConsumer) error {
	respChan := make(chan mq_http_sdk.ConsumeMessageResponse, 1)
	errChan := make(chan error, 1)
	for consumed := 0; consumed < messages; {
		consumer.ConsumeMessageOrderly(respChan, errChan, 3, 3)
		select {
		case err := <-errChan:
			return err
		case resp := <-respChan:
			var handles []string
			for _, m := range resp.Messages {
				fmt.Println(m.ShardingKey, m.MessageBody)
				handles = append(handles, m.ReceiptHandle)
			}
			if err := consumer.AckMessage(handles); err != nil {
				return err
			}
			consumed += len(handles)
		}
	}
	return nil
}

// argument is the nth of the command line.
func argument(n int, fallback string) string {
	if len(os.Args) > n {
		return os.Args[n]
	}
	return fallback
}
