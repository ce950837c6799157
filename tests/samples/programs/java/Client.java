import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.logging.Level;
import java.util.logging.Logger;

/** A client as services write it; run with -Djdk.httpclient.HttpClient.log: Client CREDENTIALS PORT [CLOSED_PORT]. */
public class Client {
    private static final Logger LOG = Logger.getLogger("orders.client");

    record TokenResponse(String accessToken, String tokenType, long expiresIn, Optional<String> refreshToken) {}

    private static Path folder;

    private static String have(String name) throws Exception {
        return Files.readString(folder.resolve(name));
    }

    public static void main(String[] arguments) throws Exception {
        folder = Path.of(arguments[0]);
        String base = "http://127.0.0.1:" + arguments[1];
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

        HttpRequest first = HttpRequest.newBuilder(URI.create(base + "/orders?page=2"))
                .header("Authorization", "Bearer " + have("rs256"))
                .header("X-Api-Key", have("hex32"))
                .build();
        send(client, first);
        print(first);
        if (arguments.length < 3) {
            // One exchange fills pages of the client's debug log.
            return;
        }
        HttpRequest second = HttpRequest.newBuilder(URI.create(base + "/orders?access_token=" + have("jwe_dir")))
                .header("authorization", "Bearer " + have("b64std"))
                .header("Cookie", "JSESSIONID=" + have("hex40") + "; theme=dark")
                .build();
        send(client, second);
        print(second);
        send(client, HttpRequest.newBuilder(URI.create(base + "/private"))
                .header("Authorization", "Basic " + have("basic"))
                .header("DPoP", have("dpop"))
                .build());

        LOG.info(new TokenResponse(have("es256"), "Bearer", 3600, Optional.of(have("uuid"))).toString());
        LOG.info(Map.of("access_token", have("ghp")) + " issued");
        LOG.info(new TreeMap<>(Map.of("Authorization", List.of("Bearer " + have("hs256")), "Host", List.of("api")))
                .toString());
        LOG.info(HttpHeaders.of(Map.of("Authorization", List.of("Bearer " + have("eddsa"))), (k, v) -> true)
                .toString());
        LOG.log(Level.WARNING, "token [{0}] refused", have("jwe_rsa"));
        try {
            client.send(HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + arguments[2] + "/?access_token="
                    + have("b64url"))).build(), HttpResponse.BodyHandlers.ofString());
        } catch (java.io.IOException error) {
            LOG.log(Level.SEVERE, "cannot connect", error);
        }
        try {
            URI.create("http://api.example/?access_token=" + have("xoxb") + "&name=a b");
        } catch (IllegalArgumentException error) {
            LOG.log(Level.SEVERE, "bad url", error);
        }
        try {
            first = HttpRequest.newBuilder(URI.create(base)).header("Authorization", "Bearer " + have("numeric") + "\n")
                    .build();
        } catch (IllegalArgumentException error) {
            LOG.log(Level.SEVERE, "bad header", error);
        }
    }

    private static void send(HttpClient client, HttpRequest request) throws Exception {
        HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
        LOG.info(response.toString());
    }

    private static void print(HttpRequest request) {
        LOG.info(request.headers().toString());
        LOG.info("headers " + request.headers().map());
        System.err.println(request.headers().map().entrySet());
    }
}
