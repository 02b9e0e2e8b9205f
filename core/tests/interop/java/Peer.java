import com.alibaba.fastjson2.JSON;
import java.util.HashMap;
import java.util.Map;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.remoting.RPCHook;

/**
 * The Java client of Apache RocketMQ doing what a test tells it: it sends or receives, and prints a JSON line for every
 * message. The command line is that of the other peers.
 */
final class Peer {
    static final String USAGE = "usage: Peer send|receive [flags] ADDRESS TOPIC";

    final String address;
    final String topic;
    private final Map<String, String> flags = new HashMap<>();

    private Peer(String[] arguments) {
        int next = 1;
        for (; next < arguments.length && arguments[next].startsWith("-"); next++) {
            String flag = arguments[next].substring(1);
            flags.put(flag, flag.equals("tls") ? "true" : arguments[++next]);
        }
        if (arguments.length != next + 2) {
            throw new IllegalArgumentException(USAGE);
        }
        address = arguments[next];
        topic = arguments[next + 1];
    }

    String text(String flag, String otherwise) {
        return flags.getOrDefault(flag, otherwise);
    }

    int number(String flag, int otherwise) {
        return flags.containsKey(flag) ? Integer.parseInt(flags.get(flag)) : otherwise;
    }

    boolean tls() {
        return flags.containsKey("tls");
    }

    /** Signs requests, when keys were given. */
    RPCHook signing() {
        if (!flags.containsKey("access-key")) {
            return null;
        }
        return new AclClientRPCHook(new SessionCredentials(flags.get("access-key"), flags.get("secret-key")));
    }

    /** Prints one JSON line, whole. */
    static synchronized void line(Map<String, Object> values) {
        System.out.println(JSON.toJSONString(values));
        System.out.flush();
    }

    public static void main(String[] arguments) {
        try {
            String command = arguments.length == 0 ? "" : arguments[0];
            Peer peer = new Peer(arguments);
            switch (command) {
                case "send" -> Send.run(peer);
                case "receive" -> Receive.run(peer);
                default -> throw new IllegalArgumentException(USAGE);
            }
            System.exit(0);
        } catch (Exception | Error failure) {
            System.err.println(failure);
            System.exit(1);
        }
    }
}
