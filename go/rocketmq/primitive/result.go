package primitive

import "fmt"

// SendStatus says how durable a stored message is.
type SendStatus int

// The states of a stored message.
const (
	SendOK SendStatus = iota
	SendFlushDiskTimeout
	SendFlushSlaveTimeout
	SendSlaveNotAvailable
	SendUnknownError
)

// SendResult is what the server said about a stored message.
type SendResult struct {
	Status        SendStatus
	MsgID         string
	MessageQueue  *MessageQueue
	QueueOffset   int64
	TransactionID string
	OffsetMsgID   string
	RegionID      string
	TraceOn       bool
}

// NewSendResult is a result without an answer yet.
func NewSendResult() *SendResult { return &SendResult{Status: SendUnknownError} }

func (r *SendResult) String() string {
	if r == nil {
		return "SendResult []"
	}
	return fmt.Sprintf("SendResult [sendStatus=%d, msgIds=%s, offsetMsgId=%s, queueOffset=%d, messageQueue=%s]",
		r.Status, r.MsgID, r.OffsetMsgID, r.QueueOffset, r.MessageQueue)
}
