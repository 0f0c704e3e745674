package eldergate.client;

import eldergate.v1.Elder.FieldEntry;
import eldergate.v1.Elder.FieldValue;
import eldergate.v1.Elder.LifeStatus;
import eldergate.v1.Feed.Cursor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The simplest store: the newest version of a person wins, fields are merged. */
public final class MemoryStore implements Store {
	/** What is known of a person. */
	public record Person(long version, LifeStatus life, Map<String, FieldValue> fields, String mergedInto) {
	}

	private final Map<String, Person> people = new HashMap<>();
	private int applied;
	private int repeated;
	private Cursor cursor;

	public Map<String, Person> people() {
		return people;
	}

	/** How many puts said something new. */
	public int applied() {
		return applied;
	}

	/** How many puts were of a version that was known. */
	public int repeated() {
		return repeated;
	}

	@Override
	public Cursor cursor() {
		return cursor;
	}

	@Override
	public void put(String person, long version, LifeStatus life, List<FieldEntry> fields, String mergedInto) {
		Person known = people.get(person);
		if (known != null && known.version() >= version) {
			repeated++;
			return;
		}
		var values = new HashMap<String, FieldValue>(known == null ? Map.of() : known.fields());
		for (FieldEntry field : fields) {
			if (field.hasValue()) {
				values.put(field.getField(), field.getValue());
			} else {
				values.remove(field.getField());
			}
		}
		people.put(person, new Person(version, life, values, mergedInto));
		applied++;
	}

	@Override
	public void forget() {
		people.clear();
	}

	@Override
	public void save(Cursor next) {
		cursor = next;
	}
}
