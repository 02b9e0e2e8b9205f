package capi

// #include "message.h"
import "C"

import "unsafe"

// Subscription is which messages of a topic are wanted.
type Subscription struct {
	Topic, Expression string
	SQL               bool
}

func (a *arena) subscriptions(wanted []Subscription) (*C.tminus_subscription_t, C.size_t) {
	count := C.size_t(len(wanted))
	list := (*C.tminus_subscription_t)(a.zeroed(count+1, C.sizeof_tminus_subscription_t))
	for i, s := range wanted {
		slot := &unsafe.Slice(list, count+1)[i]
		slot.topic, slot.expression = a.text(s.Topic), a.text(s.Expression)
		if s.SQL {
			slot.filter = C.TMINUS_FILTER_SQL92
		}
	}
	return list, count
}
