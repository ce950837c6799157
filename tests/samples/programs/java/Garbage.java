/** Makes garbage, for the collector's log. */
public class Garbage {
    private static byte[] kept;

    public static void main(String[] arguments) {
        for (int round = 0; round < 4000; round++) {
            kept = new byte[64 * 1024];
        }
        System.out.println("done, " + kept.length + " bytes kept");
    }
}
