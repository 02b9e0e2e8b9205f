import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/** Publishes messages "message 0", "message 1", ... and prints what the server answered to each. */
final class Send {
    /** A JVM that has just started on a busy machine is slow to shake hands. */
    private static final int PATIENCE_MS = 20_000;

    private Send() {}

    static void run(Peer peer) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("java-producer", peer.signing());
        producer.setNamesrvAddr(peer.address);
        producer.setUseTLS(peer.tls());
        producer.setRetryTimesWhenSendFailed(0);
        producer.setMqClientApiTimeout(PATIENCE_MS);
        producer.setSendMsgTimeout(PATIENCE_MS);
        producer.start();

        long delay = Long.parseLong(peer.text("delay", "0s").replace("s", "")) * 1000;
        long due = System.currentTimeMillis() + delay;
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < peer.number("n", 1); i++) {
            messages.add(message(peer, i, delay > 0 ? due : 0));
        }
        try {
            switch (peer.text("mode", "sync")) {
                case "sync" -> {
                    for (Message message : messages) {
                        print(producer.send(message), due);
                    }
                }
                case "async" -> {
                    List<CompletableFuture<SendResult>> outcomes = new ArrayList<>();
                    for (Message message : messages) {
                        outcomes.add(sendAsync(producer, message));
                    }
                    for (CompletableFuture<SendResult> outcome : outcomes) {
                        print(outcome.get(), due);
                    }
                }
                case "one-way" -> {
                    for (Message message : messages) {
                        producer.sendOneway(message);
                    }
                }
                case "batch" -> print(producer.send(messages), due);
                default -> throw new IllegalArgumentException("unknown mode");
            }
        } finally {
            producer.shutdown();
        }
    }

    private static Message message(Peer peer, int index, long due) {
        StringBuilder body = new StringBuilder("message " + index);
        if (body.length() < peer.number("size", 0)) {
            body.append(' ');
        }
        while (body.length() < peer.number("size", 0)) {
            body.append('0');
        }
        byte[] bytes = body.toString().getBytes(StandardCharsets.UTF_8);
        Message message = new Message(peer.topic, peer.text("tag", ""), bytes);
        if (due > 0 && peer.text("property", "TIMER_DELIVER_MS").equals("TIMER_DELIVER_MS")) {
            message.setDeliverTimeMs(due);
        } else if (due > 0) {
            message.putUserProperty(peer.text("property", ""), Long.toString(due));
        }
        if (peer.number("level", 0) > 0) {
            message.setDelayTimeLevel(peer.number("level", 0));
        }
        return message;
    }

    private static CompletableFuture<SendResult> sendAsync(DefaultMQProducer producer, Message message) throws Exception {
        CompletableFuture<SendResult> outcome = new CompletableFuture<>();
        producer.send(message, new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                outcome.complete(result);
            }

            @Override
            public void onException(Throwable failure) {
                outcome.completeExceptionally(failure);
            }
        });
        return outcome;
    }

    private static void print(SendResult result, long due) {
        Peer.line(Map.of(
            "message_id", result.getMsgId(),
            "status", result.getSendStatus().ordinal(),
            "due_ms", due,
            "answered_ms", System.currentTimeMillis()));
    }
}
