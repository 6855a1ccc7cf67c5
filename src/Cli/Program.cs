System.Console.WriteLine("lateen");
