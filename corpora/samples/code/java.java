import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** A double-entry ledger for a small bank: every transfer debits one account and credits another. */
final class Ledger {
    private static final BigDecimal OVERDRAFT_LIMIT = new BigDecimal("-2500.00");
    private static final String CASH = "cash desk";

    record Entry(int number, LocalDate date, String from, String to, BigDecimal amount) {
        Entry {
            Objects.requireNonNull(date, "date");
            if (amount.signum() <= 0) {
                throw new IllegalArgumentException("amount must be positive: " + amount);
            }
            amount = amount.setScale(2, RoundingMode.HALF_EVEN);
        }
    }

    static final class InsufficientFunds extends Exception {
        private static final long serialVersionUID = 1L;

        InsufficientFunds(String account, BigDecimal missing) {
            super(String.format("account %s is short of %,.2f", account, missing));
        }
    }

    private final Map<String, BigDecimal> balances = new TreeMap<>();
    private final List<Entry> entries = new ArrayList<>();

    BigDecimal balance(String account) {
        return balances.getOrDefault(account, BigDecimal.ZERO);
    }

    Entry transfer(LocalDate date, String from, String to, String amount) throws InsufficientFunds {
        var entry = new Entry(entries.size() + 1001, date, from, to, new BigDecimal(amount));
        var after = balance(from).subtract(entry.amount());
        // Only the cash desk may go below the limit: it stands for the outside world.
        if (!from.equals(CASH) && after.compareTo(OVERDRAFT_LIMIT) < 0) {
            throw new InsufficientFunds(from, OVERDRAFT_LIMIT.subtract(after));
        }
        balances.put(from, after);
        balances.merge(to, entry.amount(), BigDecimal::add);
        entries.add(entry);
        return entry;
    }

    List<Entry> statement(String account) {
        return entries.stream()
                .filter(e -> e.from().equals(account) || e.to().equals(account))
                .sorted(Comparator.comparing(Entry::date).thenComparingInt(Entry::number))
                .collect(Collectors.toList());
    }

    boolean balanced() {
        return balances.values().stream().reduce(BigDecimal.ZERO, BigDecimal::add).signum() == 0;
    }

    public static void main(String[] args) {
        var ledger = new Ledger();
        var day = LocalDate.of(2024, 2, 28);
        try {
            ledger.transfer(day, CASH, "Amina", "12000.00");
            ledger.transfer(day.plusDays(1), "Amina", "Tomás", "4750.25");
            ledger.transfer(day.plusDays(2), "Tomás", CASH, "7500");
        } catch (InsufficientFunds e) {
            System.err.println("refused: " + e.getMessage());
        }
        for (String account : List.of("Amina", "Tomás")) {
            System.out.printf("%-8s %,12.2f%n", account, ledger.balance(account));
            for (Entry e : ledger.statement(account)) {
                char sign = e.to().equals(account) ? '+' : '-';
                System.out.printf("  #%d %s %c%,.2f%n", e.number(), e.date(), sign, e.amount());
            }
        }
        if (!ledger.balanced() || ledger.entries.size() != 2) {
            throw new AssertionError("the books do not balance");
        }
    }
}
