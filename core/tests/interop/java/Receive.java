import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Runs push consumers of one group and prints every message they get, until its standard input ends. It prints
 * {"started": N} first.
 */
final class Receive {
    private final Peer peer;
    private final int index;

    private Receive(Peer peer, int index) {
        this.peer = peer;
        this.index = index;
    }

    static void run(Peer peer) throws Exception {
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        for (int i = 0; i < peer.number("consumers", 1); i++) {
            consumers.add(new Receive(peer, i).start());
        }
        Peer.line(Map.of("started", consumers.size()));
        System.in.transferTo(java.io.OutputStream.nullOutputStream());
        consumers.forEach(DefaultMQPushConsumer::shutdown);
    }

    private DefaultMQPushConsumer start() throws Exception {
        String group = peer.text("group", "java-consumer");
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group, peer.signing());
        consumer.setNamesrvAddr(peer.address);
        consumer.setUseTLS(peer.tls());
        consumer.setInstanceName(group + "-" + ProcessHandle.current().pid() + "-" + index);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setMaxReconsumeTimes(peer.number("max-reconsume", -1));
        consumer.setMqClientApiTimeout(20_000);
        String sql = peer.text("sql", "");
        if (sql.isEmpty()) {
            consumer.subscribe(peer.topic, peer.text("tags", "*"));
        } else {
            consumer.subscribe(peer.topic, MessageSelector.bySql(sql));
        }
        consumer.registerMessageListener(this::consume);
        consumer.start();
        return consumer;
    }

    private ConsumeConcurrentlyStatus consume(List<MessageExt> messages, ConsumeConcurrentlyContext context) {
        long now = System.currentTimeMillis();
        boolean again = false;
        for (MessageExt message : messages) {
            String tag = message.getTags() == null ? "" : message.getTags();
            Peer.line(Map.of(
                "consumer", index,
                "message_id", message.getMsgId(),
                "topic", message.getTopic(),
                "body", new String(message.getBody(), StandardCharsets.UTF_8),
                "tag", tag,
                "reconsumed", message.getReconsumeTimes(),
                "at_ms", now));
            again |= message.getReconsumeTimes() < peer.number("retries", 0);
        }
        context.setDelayLevelWhenNextConsume(1); // again after a second
        return again ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    }
}
