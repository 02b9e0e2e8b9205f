// Transactions over ApsaraMQ HTTP, by the documented calls: one half message is committed at once, one is rolled back, and
// one is left open until the service brings it back, when it is committed.
//
//	mqhttp_transaction ENDPOINT [TOPIC [GROUP [INSTANCE_ID]]]
//
// The keys are those of ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/gogap/errors"

	mq_http_sdk "github.com/tminus-mq/tminus/go/mqhttp"
)

func main() {
	endpoint := argument(1, "http://127.0.0.1:8080")
	topic := argument(2, "payments")
	groupID := argument(3, "GID_payments")
	instanceID := argument(4, "")
	client := mq_http_sdk.NewAliyunMQClient(
		endpoint, os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"), os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"), "")
	producer := client.GetTransProducer(instanceID, topic, groupID)
	for _, body := range []string{"commit", "rollback", "open"} {
		if err := publish(producer, body); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := commitOpen(producer); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func publish(producer mq_http_sdk.MQTransProducer, body string) error {
	half, err := producer.PublishMessage(mq_http_sdk.PublishMessageRequest{
		MessageBody:            body,
		TransCheckImmunityTime: 10,
	})
	if err != nil {
		return err
	}
	fmt.Println("half message", body)
	switch body {
	case "commit":
		return producer.Commit(half.ReceiptHandle)
	case "rollback":
		return producer.Rollback(half.ReceiptHandle)
	default:
		return nil
	}
}

// commitOpen waits for the transaction that was left open. The service brings its half message when the ten seconds are over.
func commitOpen(producer mq_http_sdk.MQTransProducer) error {
	respChan := make(chan mq_http_sdk.ConsumeMessageResponse, 1)
	errChan := make(chan error, 1)
	for {
		producer.ConsumeHalfMessage(respChan, errChan, 3, 3)
		select {
		case err := <-errChan:
			if !strings.Contains(err.(errors.ErrCode).Error(), "MessageNotExist") {
				return err
			}
		case resp := <-respChan:
			for _, half := range resp.Messages {
				fmt.Println("asked about", half.MessageBody)
				if err := producer.Commit(half.ReceiptHandle); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

// argument is the nth of the command line.
func argument(n int, fallback string) string {
	if len(os.Args) > n {
		return os.Args[n]
	}
	return fallback
}
