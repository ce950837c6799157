import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Prints its argument as Java prints bytes. */
public class Bytes {
    public static void main(String[] arguments) {
        System.out.println(Arrays.toString(arguments[0].getBytes(StandardCharsets.US_ASCII)));
    }
}
