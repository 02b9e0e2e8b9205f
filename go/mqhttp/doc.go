// Package mq_http_sdk sends and receives messages of ApsaraMQ for RocketMQ over HTTP by the names of the official
// mq-http-go-sdk v1.0.3, so that a program needs no change but its import path:
//
//	import mq_http_sdk "github.com/tminus-mq/tminus/go/mqhttp"
//
// # What is different
//
// A publish is never repeated by itself, and neither is a consume: a message is published once or the error says that it
// may have been. Every error is an [errors.ErrCode] of gogap as before, with the namespace and numbers of the official
// SDK, and beside that a [*tminus.Error]:
//
//	if errors.Is(err, tminus.ErrMessageNotFound) { … }           // nothing to consume
//	var e *tminus.Error
//	if errors.As(err, &e) && e.Outcome == tminus.MaybeSent { … } // it may be stored
//
// The caller's Properties map is not changed. Text that XML cannot carry is an error instead of other text; a message whose
// body does not fit its MD5 is left out and logged to slog, and comes again. More than 16 messages or a wait of more than
// 30 s is an error; 0 and less mean 16 messages and no wait. Missing arguments do not panic: the first call reports them.
//
// # What is more
//
// The values behind the interfaces have calls with a context, which return their result, and a client can be closed and
// given other credentials:
//
//	client := mq_http_sdk.NewAliyunMQClient(endpoint, accessKey, secretKey, "").(*mq_http_sdk.AliyunMQClient)
//	defer client.Close()
//	consumer := client.GetConsumer(instanceID, topic, group, "").(*mq_http_sdk.AliyunMQConsumer)
//	resp, err := consumer.ConsumeMessageContext(ctx, 16, 30)
//
// The environment says what this API has no call for: TMINUS_TLS_CA names a PEM file with the certificate authorities to trust
// in place of the system's at an https:// endpoint, and HTTP_PROXY, HTTPS_PROXY and NO_PROXY are followed.
//
// The calls that post to channels wait for a reader until the client is closed or the messages are due again, which is when
// their handles expire, and then log what nobody took.
package mq_http_sdk
