// Package tminus sends and receives RocketMQ messages, above all scheduled ones, over the remoting, gRPC and ApsaraMQ HTTP
// protocols. The scheme of the endpoint picks the protocol; what one of them lacks is [ErrUnsupported].
//
// A producer sends; a delivery time is a [time.Time] or a [time.Duration]:
//
//	producer, err := tminus.NewProducer(ctx, "127.0.0.1:9876", nil)
//	if err != nil {
//		return err
//	}
//	defer producer.Close(ctx)
//	receipt, err := producer.Send(ctx, &tminus.Message{
//		Topic:     "orders",
//		Body:      []byte("close order 17"),
//		DeliverAt: time.Now().Add(30 * time.Minute),
//	})
//
// A push consumer receives, as a member of a group:
//
//	consumer, err := tminus.NewPushConsumer(ctx, "127.0.0.1:9876", "billing", &tminus.PushConsumerOptions{
//		Subscriptions: map[string]tminus.Filter{"orders": tminus.AllMessages},
//	})
//	if err != nil {
//		return err
//	}
//	defer consumer.Close(ctx)
//	err = consumer.Consume(ctx, func(ctx context.Context, m *tminus.MessageView) error {
//		return closeOrder(ctx, m.Body)
//	})
//
// A simple consumer takes messages when asked and acknowledges each:
//
//	consumer, err := tminus.NewSimpleConsumer(ctx, "grpc://127.0.0.1:8081", "billing", &tminus.SimpleConsumerOptions{
//		Subscriptions: map[string]tminus.Filter{"orders": tminus.AllMessages},
//	})
//	if err != nil {
//		return err
//	}
//	defer consumer.Close(ctx)
//	received, err := consumer.Receive(ctx, 16, time.Minute)
//	for _, r := range received {
//		if closeOrder(ctx, r.Message.Body) == nil {
//			err = errors.Join(err, consumer.Ack(ctx, r.Receipt))
//		}
//	}
//
// A transaction is a half message that consumers get when it is committed, see [Producer.SendTransaction].
//
// The deadline of a context bounds all attempts of a call together; cancelling it ends the call at once. Every error
// is an [*Error]: errors.Is tells its kind ([ErrTimeout], [ErrTopicNotFound], …), and [Error.Outcome] whether the
// server may have stored the message all the same.
//
// Package tminustest has a broker inside the test process, with a clock that can be moved. Package rocketmq and the
// packages below it offer the same by the names of rocketmq-client-go v2, package mqhttp by those of mq-http-go-sdk.
package tminus
