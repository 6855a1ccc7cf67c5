System.Console.WriteLine("bookinfo");
