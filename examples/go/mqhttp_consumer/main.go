// The consumer of the ApsaraMQ documents for Go over HTTP. Only the path of the SDK import differs from there.
//
//	mqhttp_consumer ENDPOINT [TOPIC [GROUP [COUNT [INSTANCE_ID]]]]
//
// It consumes COUNT messages, or for ever, and prints when each was due. The keys are those of
// ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gogap/errors"

	mq_http_sdk "github.com/tminus-mq/tminus/go/mqhttp"
)

func main() {
	endpoint := argument(1, "http://127.0.0.1:8080")
	topic := argument(2, "delay")
	groupID := argument(3, "GID_delay")
	count, err := strconv.Atoi(argument(4, "0"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "COUNT is a number")
		os.Exit(2)
	}
	instanceID := argument(5, "")

	client := mq_http_sdk.NewAliyunMQClient(
		endpoint, os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"), os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"), "")
	consumer := client.GetConsumer(instanceID, topic, groupID, "")

	for consumed := 0; count == 0 || consumed < count; {
		done := make(chan int)
		respChan := make(chan mq_http_sdk.ConsumeMessageResponse)
		errChan := make(chan error)
		go func() {
			select {
			case resp := <-respChan:
				done <- handle(consumer, resp)
			case err := <-errChan:
				if !strings.Contains(err.(errors.ErrCode).Error(), "MessageNotExist") {
					fmt.Fprintln(os.Stderr, err)
					time.Sleep(3 * time.Second)
				}
				done <- 0
			case <-time.After(35 * time.Second):
				fmt.Fprintln(os.Stderr, "neither messages nor an error came")
				done <- 0
			}
		}()
		// At most 3 messages; the service waits at most 3 seconds for the first one.
		consumer.ConsumeMessage(respChan, errChan, 3, 3)
		consumed += <-done
	}
}

// handle prints and acknowledges what came, and says how much it was.
func handle(consumer mq_http_sdk.MQConsumer, resp mq_http_sdk.ConsumeMessageResponse) int {
	now := time.Now().UnixMilli()
	var handles []string
	for _, m := range resp.Messages {
		handles = append(handles, m.ReceiptHandle)
		fmt.Printf("consumed %s %q, tag %s, key %s, a=%s, delivery %d, %d ms after it was published, %d ms late\n",
			m.MessageId, m.MessageBody, m.MessageTag, m.MessageKey, m.Properties["a"], m.ConsumedTimes,
			now-m.PublishTime, now-m.StartDeliverTime)
	}
	// A handle that expired before this is refused; its message comes again.
	if err := consumer.AckMessage(handles); err != nil {
		if items, ok := err.(errors.ErrCode).Context()["Detail"].([]mq_http_sdk.ErrAckItem); ok {
			for _, item := range items {
				fmt.Fprintf(os.Stderr, "not acknowledged: %s, %s, %s\n", item.ErrorHandle, item.ErrorCode, item.ErrorMsg)
			}
		} else {
			fmt.Fprintln(os.Stderr, err)
		}
		time.Sleep(3 * time.Second)
	}
	return len(handles)
}

// argument is the nth of the command line.
func argument(n int, fallback string) string {
	if len(os.Args) > n {
		return os.Args[n]
	}
	return fallback
}
