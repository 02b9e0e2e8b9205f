package tminus_test

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/tminus-mq/tminus/go/tminustest"
)

// What has to exist on a server before the first step.

const harness = "../core/tests/apache/server.py"

// prepare creates the topics and groups that a scenario lists. A real server needs every topic to exist before it is used
// over gRPC.
func (r *scenarioRun) prepare(s *scenario) error {
	topics := make(map[string]string)
	if r.broker == nil && r.protocol == "grpc" {
		for _, topic := range namedTopics(s.Steps) {
			topics[topic] = "mixed"
		}
	}
	for topic, kind := range s.Topics {
		topics[topic] = kind
	}
	for topic, kind := range topics {
		if err := r.createTopic(r.resource(topic), kind); err != nil {
			return err
		}
	}
	for group, spec := range s.Groups {
		if err := r.createGroup(r.resource(group), spec); err != nil {
			return err
		}
	}
	return nil
}

func (r *scenarioRun) createTopic(name, kind string) error {
	if r.broker == nil {
		return runHarness("topic", "--name", name, "--type", strings.ToUpper(kind))
	}
	kinds := map[string]tminustest.TopicType{
		"mixed": tminustest.Mixed, "normal": tminustest.Normal, "fifo": tminustest.FIFO, "delay": tminustest.Delay,
		"transaction": tminustest.Transaction, "priority": tminustest.Priority,
	}
	known, ok := kinds[kind]
	if !ok {
		return fmt.Errorf("unknown type of topic %q", kind)
	}
	return r.broker.CreateTopicOf(name, 4, known)
}

func (r *scenarioRun) createGroup(name string, spec groupSpec) error {
	if r.broker != nil {
		return r.broker.CreateGroup(name, tminustest.GroupOptions{FIFO: spec.FIFO, MaxAttempts: spec.MaxAttempts})
	}
	arguments := []string{"group", "--name", name, "--retries", strconv.Itoa(or(spec.MaxAttempts, 17) - 1)}
	if spec.FIFO {
		arguments = append(arguments, "--fifo")
	}
	return runHarness(arguments...)
}

// namedTopics are the logical topics that steps name; not those that are refused, and not dead letter queues.
func namedTopics(steps []step) []string {
	var names []string
	add := func(name string) {
		if name != "" && !strings.HasPrefix(name, "!") && !strings.HasPrefix(name, "%") {
			names = append(names, name)
		}
	}
	for _, s := range steps {
		switch s.Do {
		case "producer":
			for _, topic := range s.Topics {
				add(topic)
			}
		case "consumer", "simple_consumer":
			add(or(s.Topic, "t"))
		case "recall":
			add("t")
		case "send":
			specs := s.Messages
			if s.Message != nil {
				specs = append(specs, *s.Message)
			}
			for _, spec := range specs {
				if spec.Topic == nil {
					add("t")
				} else {
					add(*spec.Topic)
				}
			}
		}
	}
	return names
}

// runHarness runs a command against the server that the environment names.
func runHarness(arguments ...string) error {
	text, err := exec.Command("python3", append([]string{harness}, arguments...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("server.py %q: %w: %s", arguments, err, text)
	}
	return nil
}
