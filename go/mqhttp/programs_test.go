package mq_http_sdk_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tminus-mq/tminus/go/tminustest"
)

// The programs of examples/go, built and run as a person would, against a broker that checks their signatures.

func TestThePrograms(t *testing.T) {
	folder := t.TempDir()
	build := exec.Command("go", "build", "-o", folder+string(filepath.Separator), "./mqhttp_producer", "./mqhttp_consumer",
		"./mqhttp_orderly", "./mqhttp_transaction")
	build.Dir = filepath.Join("..", "..", "examples", "go")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	broker := tminustest.Start(t, tminustest.User("key", "secret"))
	// Subtests that run side by side end with the group, before the broker.
	t.Run("programs", func(t *testing.T) {
		for _, instance := range []string{"", "MQ_INST_1"} {
			t.Run("delay of ten seconds"+instance, func(t *testing.T) { testDelay(t, broker, folder, instance) })
		}
		t.Run("order", func(t *testing.T) { testOrder(t, broker, folder) })
		t.Run("transaction", func(t *testing.T) { testTransaction(t, broker, folder) })
	})
}

// start starts a program with the keys in its environment; the test ends it.
func start(t *testing.T, program string, arguments ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Env = append(os.Environ(), "ALIBABA_CLOUD_ACCESS_KEY_ID=key", "ALIBABA_CLOUD_ACCESS_KEY_SECRET=secret")
	output := new(bytes.Buffer)
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command, output
}

func run(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	command, output := start(t, program, arguments...)
	if err := command.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return output.String()
}

func testDelay(t *testing.T, broker *tminustest.Broker, folder, instance string) {
	t.Parallel()
	topic := "delay"
	if instance != "" {
		topic = instance + "%" + topic
	}
	if err := broker.CreateTopic(topic, 4); err != nil {
		t.Fatal(err)
	}
	consumer, output := start(t, folder+"/mqhttp_consumer", broker.HTTPEndpoint(), "delay", "GID_delay", "4", instance)
	began := time.Now()
	published := run(t, folder+"/mqhttp_producer", broker.HTTPEndpoint(), "delay", instance)
	if err := consumer.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	t.Logf("\n%s%s", published, output)
	consumed := regexp.MustCompile(`(?m)^consumed (\w+) "hello mq!", tag delayed, key MessageKey, a=\d, delivery 1, `+
		`\d+ ms after it was published, (-?\d+) ms late$`).FindAllStringSubmatch(output.String(), -1)
	if len(consumed) != 4 || strings.Count(output.String(), "\n") != 4 || time.Since(began) < 10*time.Second {
		t.Fatalf("%d messages in %v", len(consumed), time.Since(began))
	}
	for _, message := range consumed {
		late, _ := strconv.Atoi(message[2])
		if !strings.Contains(published, message[1]) || late < 0 || late > 250 {
			t.Errorf("%q", message)
		}
	}
}

func testOrder(t *testing.T, broker *tminustest.Broker, folder string) {
	t.Parallel()
	var keys [2]string
	for _, line := range strings.Split(strings.TrimSpace(run(t, folder+"/mqhttp_orderly", broker.HTTPEndpoint())), "\n") {
		key, body, _ := strings.Cut(line, " ")
		keys[key[len(key)-1]-'0'] += body
	}
	if keys != [2]string{"0246", "1357"} {
		t.Errorf("%q", keys)
	}
}

func testTransaction(t *testing.T, broker *tminustest.Broker, folder string) {
	t.Parallel()
	began := time.Now()
	output := run(t, folder+"/mqhttp_transaction", broker.HTTPEndpoint())
	if took := time.Since(began); !strings.HasSuffix(output, "half message open\nasked about open\n") || took < 10*time.Second {
		t.Errorf("%v\n%s", took, output)
	}
	client := newClient(t, broker.HTTPEndpoint(), 5*time.Second)
	var committed []string
	for len(committed) < 2 {
		messages, err := consume(client.GetConsumer("", "payments", "g", ""), 16, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			committed = append(committed, m.MessageBody)
		}
	}
	if text := strings.Join(committed, " "); text != "commit open" && text != "open commit" {
		t.Error(text)
	}
}

// Only the import path of the programs differs from what they are with the official SDK.
func TestTheProgramsCompileWithTheOfficialModule(t *testing.T) {
	const programs, official = "../../examples/go", "../../core/tests/interop/go-mqhttp"
	folder := t.TempDir()
	write := func(name string, text []byte) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string) []byte {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		write(name, read(filepath.Join(official, name)))
	}
	for _, program := range []string{"mqhttp_producer", "mqhttp_consumer", "mqhttp_orderly", "mqhttp_transaction"} {
		name := filepath.Join(program, "main.go")
		text := bytes.Replace(read(filepath.Join(programs, name)), []byte("github.com/tminus-mq/tminus/go/mqhttp"),
			[]byte("github.com/aliyunmq/mq-http-go-sdk"), 1)
		write(name, text)
	}
	download := exec.Command("go", "mod", "download")
	download.Dir = folder
	if text, err := download.CombinedOutput(); err != nil && os.Getenv("CI") != "true" {
		t.Skipf("the official module cannot be had: %v\n%s", err, text)
	}
	vet := exec.Command("go", "vet", "./...")
	vet.Dir = folder
	if text, err := vet.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
