package capi

// #include "message.h"
import "C"

import (
	"context"
	"sync"
)

// Completions of submitted operations arrive on one queue for the process. A goroutine drains it for all: it begins with
// the first operation under way and ends with the last, so none stays behind an idle producer, and under load one wake-up
// brings many completions.
type reactor struct {
	queue *C.tminus_queue_t

	mutex    sync.Mutex
	calls    map[uint64]*call
	last     uint64
	draining bool

	callbacks callbacks
}

// call is an operation under way. Exactly one completion ends it.
type call struct {
	result
	done     chan struct{} // capacity 1, so that the drainer never blocks
	isHalf   bool          // the receipt itself is kept, to end its transaction
	callback func(*Receipt, error)
}

// result is what a completion brought; who waited for it copies and frees the C objects.
type result struct {
	receipt Receipt
	half    *C.tminus_receipt_t
	batch   *C.tminus_batch_t
	handles *C.tminus_receipt_handles_t
	err     error
}

var callPool = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

const (
	drainBatch = 64
	// A drainer looks up this often whether a refused submit has left it with nothing to wait for.
	drainWaitMs = 1000
)

var theReactor = sync.OnceValues(func() (*reactor, error) {
	if err := handshake(); err != nil {
		return nil, err
	}
	r := &reactor{calls: make(map[uint64]*call)}
	var e *C.tminus_error_t
	if status := C.tminus_queue_new(&r.queue, &e); status != C.TMINUS_OK {
		return nil, failure(status, e)
	}
	return r, nil
})

// register makes a number for c, by which its completion finds it.
func (r *reactor) register(c *call) C.uint64_t {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.last++
	r.calls[r.last] = c
	return C.uint64_t(r.last)
}

// submitted takes the registration back if the submit was refused.
func (r *reactor) submitted(id C.uint64_t, status C.tminus_status_t, e *C.tminus_error_t) error {
	if status == C.TMINUS_OK {
		return nil
	}
	r.mutex.Lock()
	delete(r.calls, uint64(id))
	r.mutex.Unlock()
	return failure(status, e)
}

// submitTo submits an operation on an object; r.wait(ctx, c, op) waits for its end.
func submitTo[P comparable](
	r *reactor, c *call, h *handle[P], operation string,
	submit func(p P, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t) C.tminus_status_t,
) (op C.tminus_op_t, err error) {
	err = h.use(operation, func(p P) error {
		id := r.register(c)
		var e *C.tminus_error_t
		status := submit(p, id, &op, &e)
		return r.submitted(id, status, e)
	})
	return op, err
}

// wait waits for c, which it gives back to the pool; when ctx ends, the operation is cancelled and its true end is awaited.
func (r *reactor) wait(ctx context.Context, c *call, op C.tminus_op_t) result {
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { C.tminus_op_cancel(r.queue, op, nil) })
		defer stop()
	}
	r.start()
	<-c.done
	ended := c.result
	c.result, c.isHalf = result{}, false
	callPool.Put(c)
	return ended
}

// start makes sure that somebody drains.
func (r *reactor) start() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if !r.draining && len(r.calls) > 0 {
		r.draining = true
		go r.drain()
	}
}

// drain hands out completions until no call is left.
func (r *reactor) drain() {
	var completions [drainBatch]C.tminus_completion_t
	for more := true; more; more = r.more() {
		var count C.size_t
		C.tminus_queue_wait(r.queue, &completions[0], drainBatch, drainWaitMs, &count, nil)
		finished := r.take(completions[:count])
		C.tminus_completions_free(&completions[0], count)
		for _, c := range finished {
			if c.callback != nil {
				r.callbacks.add(c)
			} else {
				c.done <- struct{}{}
			}
		}
	}
}

// more is whether the drainer goes on.
func (r *reactor) more() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.draining = len(r.calls) > 0
	return r.draining
}

// take finds the calls of completions and copies their results.
func (r *reactor) take(completions []C.tminus_completion_t) []*call {
	finished := make([]*call, 0, drainBatch)
	r.mutex.Lock()
	for i := range completions {
		id := uint64(completions[i].user_data)
		finished = append(finished, r.calls[id])
		delete(r.calls, id)
	}
	r.mutex.Unlock()
	for i, c := range finished {
		completion := &completions[i]
		if completion.error != nil {
			c.err = copyFailure(completion.error)
		} else if completion.receipt != nil {
			c.receipt = copyReceipt(completion.receipt)
			if c.isHalf {
				c.half, completion.receipt = completion.receipt, nil
			}
		}
		c.batch, completion.batch = completion.batch, nil
		c.handles, completion.handles = completion.handles, nil
	}
	return finished
}

// callbacks runs the callbacks of asynchronous sends one after the other, apart from the drainer, so that a callback may
// send and wait itself. Its goroutine lives while there is something to run.
type callbacks struct {
	mutex   sync.Mutex
	waiting []*call
	running bool
}

func (b *callbacks) add(c *call) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.waiting = append(b.waiting, c)
	if !b.running {
		b.running = true
		go b.run()
	}
}

func (b *callbacks) run() {
	for {
		b.mutex.Lock()
		batch := b.waiting
		b.waiting = nil
		b.running = len(batch) > 0
		b.mutex.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, c := range batch {
			if c.err != nil {
				c.callback(nil, c.err)
			} else {
				c.callback(&c.receipt, nil)
			}
		}
	}
}
