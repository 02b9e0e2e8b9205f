// The producer of the ApsaraMQ documents for Go over HTTP: four messages that are due in ten seconds. Only the path of the
// SDK import differs from there.
//
//	mqhttp_producer ENDPOINT [TOPIC [INSTANCE_ID]]
//
// The keys are those of ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	mq_http_sdk "github.com/tminus-mq/tminus/go/mqhttp"
)

func main() {
	endpoint := argument(1, "http://127.0.0.1:8080")
	topic := argument(2, "delay")
	instanceID := argument(3, "")

	client := mq_http_sdk.NewAliyunMQClient(
		endpoint, os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"), os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"), "")
	producer := client.GetProducer(instanceID, topic)

	for i := range 4 {
		message := mq_http_sdk.PublishMessageRequest{
			MessageBody: "hello mq!",
			MessageTag:  "delayed",
			Properties:  map[string]string{},
		}
		message.Properties["a"] = strconv.Itoa(i)
		message.MessageKey = "MessageKey"
		// Ten seconds from now, in Unix milliseconds. A time in the past means at once.
		message.StartDeliverTime = time.Now().UnixMilli() + 10_000

		ret, err := producer.PublishMessage(message)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("published %s, MD5 %s\n", ret.MessageId, ret.MessageBodyMD5)
	}
}

// argument is the nth of the command line.
func argument(n int, fallback string) string {
	if len(os.Args) > n {
		return os.Args[n]
	}
	return fallback
}
