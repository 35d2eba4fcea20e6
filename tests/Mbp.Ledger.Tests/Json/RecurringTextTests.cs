using System.Text;
using Mbp.Ledger.Json;
using Xunit;

namespace Mbp.Ledger.Tests.Json;

public sealed class RecurringTextTests
{
    [Fact]
    public void Every_text_is_itself_however_many_there_are()
    {
        // Far more than there are places, so that each of them is taken again and again.
        for (var round = 0; round < 2; round++)
        {
            for (var i = 0; i < 20_000; i++)
            {
                Assert.Equal($"market-m{i}", RecurringText.Of(Encoding.ASCII.GetBytes($"market-m{i}")));
            }
        }

        Assert.Equal("", RecurringText.Of([]));
        Assert.Same(RecurringText.Of("account-a1"u8), RecurringText.Of("account-a1"u8));
    }
}
