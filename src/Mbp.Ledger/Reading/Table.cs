using NodaTime;

namespace Mbp.Ledger.Reading;

/// <summary>What a column holds. Amounts are whole units of 1e-8 in code and decimal numbers in the table.</summary>
public enum ColumnKind
{
    Text,
    Texts,
    Whole,
    Flag,
    Time,

    /// <summary><c>numeric(18,8)</c>, from units that fit in a <see cref="long"/>.</summary>
    Amount,

    /// <summary><c>numeric(28,8)</c>: a sum of amounts, which outgrows one amount's range.</summary>
    Sum,
    Amounts,

    /// <summary><c>numeric(38,0)</c>: whole numbers of any size, such as integrals of prices over time.</summary>
    Integrals,
}

/// <summary>One column of a read model's table.</summary>
public abstract record Column(string Name, ColumnKind Kind, bool Nullable);

/// <inheritdoc cref="Column"/>
public sealed record Column<TRow, TValue>(string Name, ColumnKind Kind, bool Nullable, Func<TRow, TValue> Get) : Column(Name, Kind, Nullable);

/// <summary>Names one row: the table's text columns of its key in their order, then its whole number or time (in ticks), where it has one.</summary>
public readonly record struct RowKey(string First, string Second = "", string Third = "", long Number = 0)
{
    public static RowKey Of(string first, Instant at) => new(first, Number: at.ToUnixTimeTicks());
}

/// <summary>A read model's table: names and types as everybody outside sees them.</summary>
public abstract class Table(string name)
{
    private readonly List<Column> _columns = [];
    private readonly List<TableIndex> _indexes = [];

    public string Name => name;

    public IReadOnlyList<Column> Columns => _columns;

    /// <summary>The primary key's columns.</summary>
    public IReadOnlyList<string> KeyColumns { get; protected set; } = [];

    /// <summary>Further indexes. Each is paid for with every row: one that most rows are of no use in says which ones it has.</summary>
    public IReadOnlyList<TableIndex> Indexes => _indexes;

    /// <summary>Whether rows are replaced by later ones: then pages keep room, so that a new version finds it beside the old and no index hears of it.</summary>
    public bool IsRewritten { get; protected set; }

    public abstract TResult Accept<TResult>(ITableVisitor<TResult> visitor);

    protected void Add(Column column) => _columns.Add(column);

    protected void AddIndex(string columns, string? where) => _indexes.Add(new TableIndex(columns, where));
}

/// <param name="Columns">What goes between the brackets.</param>
/// <param name="Where">Which rows it has; null = all of them.</param>
public sealed record TableIndex(string Columns, string? Where);

/// <summary>Whoever handles tables of any row type.</summary>
public interface ITableVisitor<out TResult>
{
    TResult Visit<TRow>(Table<TRow> table)
        where TRow : class;
}

/// <summary>A row's values, asked for in the order of the columns.</summary>
public interface IRowReader
{
    string Text();

    string? TextOrNull();

    IReadOnlyList<string> Texts();

    long Whole();

    long? WholeOrNull();

    bool Flag();

    Instant Time();

    Instant? TimeOrNull();

    /// <summary>Units of 1e-8.</summary>
    long Amount();

    long? AmountOrNull();

    Int128 Sum();

    IReadOnlyList<long> Amounts();

    IReadOnlyList<Int128> Integrals();
}

/// <inheritdoc cref="Table"/>
public sealed class Table<TRow>(string name) : Table(name)
    where TRow : class
{
    private Func<TRow, RowKey>? _keyOf;
    private Func<IRowReader, TRow>? _read;

    public Func<TRow, RowKey> KeyOf => _keyOf ?? throw new InvalidOperationException($"Rows of {Name} are never found again.");

    public Func<IRowReader, TRow> Read => _read ?? throw new InvalidOperationException($"Rows of {Name} are never read back.");

    public Table<TRow> Text(string name, Func<TRow, string?> get, bool nullable = false) => With(new Column<TRow, string?>(name, ColumnKind.Text, nullable, get));

    public Table<TRow> Texts(string name, Func<TRow, IReadOnlyList<string>> get) => With(new Column<TRow, IReadOnlyList<string>>(name, ColumnKind.Texts, false, get));

    public Table<TRow> Whole(string name, Func<TRow, long?> get, bool nullable = false) => With(new Column<TRow, long?>(name, ColumnKind.Whole, nullable, get));

    public Table<TRow> Flag(string name, Func<TRow, bool> get) => With(new Column<TRow, bool>(name, ColumnKind.Flag, false, get));

    public Table<TRow> Time(string name, Func<TRow, Instant?> get, bool nullable = false) => With(new Column<TRow, Instant?>(name, ColumnKind.Time, nullable, get));

    public Table<TRow> Amount(string name, Func<TRow, long?> get, bool nullable = false) => With(new Column<TRow, long?>(name, ColumnKind.Amount, nullable, get));

    public Table<TRow> Sum(string name, Func<TRow, Int128> get) => With(new Column<TRow, Int128>(name, ColumnKind.Sum, false, get));

    public Table<TRow> Amounts(string name, Func<TRow, IReadOnlyList<long>> get) => With(new Column<TRow, IReadOnlyList<long>>(name, ColumnKind.Amounts, false, get));

    public Table<TRow> Integrals(string name, Func<TRow, IReadOnlyList<Int128>> get) =>
        With(new Column<TRow, IReadOnlyList<Int128>>(name, ColumnKind.Integrals, false, get));

    public Table<TRow> Key(params IReadOnlyList<string> columns)
    {
        KeyColumns = columns;
        return this;
    }

    public Table<TRow> Index(string columns, string? where = null)
    {
        AddIndex(columns, where);
        return this;
    }

    /// <summary>How a row is found again, mostly to be replaced: its key, and the row from its columns in their order.</summary>
    public Table<TRow> Found(Func<TRow, RowKey> keyOf, Func<IRowReader, TRow> read, bool isRewritten = true)
    {
        (_keyOf, _read, IsRewritten) = (keyOf, read, isRewritten);
        return this;
    }

    public override TResult Accept<TResult>(ITableVisitor<TResult> visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        return visitor.Visit(this);
    }

    private Table<TRow> With(Column column)
    {
        Add(column);
        return this;
    }
}
